import sys

from . import load, names, perform

if __name__ == "__main__":
    try:
        chosen = [load(name).__name__.split(".")[-1] for name in sys.argv[1:]]
    except ValueError as error:
        sys.exit(f"ValueError: {error}")
    for name in chosen:
        perform(name)
    if not chosen:
        for name in names():
            print(f"{name:24} {(load(name).__doc__ or '').splitlines()[0]}")
