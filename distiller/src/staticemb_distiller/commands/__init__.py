"""The commands of the command line, one module each; `cli.COMMANDS` lists them."""
