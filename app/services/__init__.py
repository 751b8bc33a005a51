"""What people do, for the window and the command line alike."""
