"""The engine, measured: the thirteen figures of the founding plan over recorded sessions."""
