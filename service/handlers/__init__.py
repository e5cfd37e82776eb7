"""What each call does with its checked request, whatever wire it came by: admission, then the use case."""
