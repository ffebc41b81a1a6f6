"""python -m otherwise: the same as the command `otherwise`."""

from otherwise import main

main()
