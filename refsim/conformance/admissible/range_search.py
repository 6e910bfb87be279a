from .unions import pieces
def searched(*a): raise NotImplementedError
