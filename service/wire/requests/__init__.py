"""What requests may hold, endpoint by endpoint: checked by pydantic for every wire, shown in `/docs`."""
