from tests.compose.conftest import compiler

__all__ = ["compiler"]
