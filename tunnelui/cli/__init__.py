"""The command line: one module per subcommand, each with ``add_arguments(parser)`` and ``run(arguments) -> int``.

`main` picks the module by name and imports no other. `output` alone writes to standard output and standard error, and
alone knows exit codes.
"""
