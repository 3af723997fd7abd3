"""Allocation: hears released lines and participants' elections; splits each line and source over funds to the cent;
says instructed trades and the answers to requests; owns elections (database ``nestwork_allocation``).
"""
