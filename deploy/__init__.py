"""Everything around the services: embedded cluster, custodian, scenarios, benches, command line."""
