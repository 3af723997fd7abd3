"""Open-loop load on a cluster: offered by a clock that waits for nobody, checked to the cent, told with its noise."""
