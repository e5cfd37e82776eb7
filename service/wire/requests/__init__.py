"""The JSON of requests, endpoint by endpoint: checked by pydantic, shown in `/docs`."""
