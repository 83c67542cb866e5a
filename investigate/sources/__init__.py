"""How each vendor hands its log over: bytes in, evidence out, nothing interpreted."""
