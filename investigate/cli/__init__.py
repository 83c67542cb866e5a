"""The command line: arguments, output and exit codes, a module a command group."""
