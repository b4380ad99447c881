"""Names that a delivery keeps through every retry, as sending knows them."""

from newsletter.model.identity import message_id, return_path

__all__ = ["message_id", "return_path"]
