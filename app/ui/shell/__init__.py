"""The window's frame and life: start, rail, status line, tray, pages, end."""
