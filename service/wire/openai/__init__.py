"""OpenAI's format: another spelling of `/embed`. Requests become its plain items, answers and errors are reworded."""
