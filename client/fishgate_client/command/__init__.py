"""The command: pictures from folders and lists to a server, answers to the screen and into files."""
