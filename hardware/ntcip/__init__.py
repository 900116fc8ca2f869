"""Signal controllers that speak NTCIP 1202 over SNMP: object table, transports, the driver behind `ControllerPort`."""
