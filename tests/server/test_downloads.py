"""A download's name is a file's and nothing else."""

import pytest

from server import downloads


@pytest.mark.parametrize("name", ["", "../a.zip", "a b.zip", 'a".zip', "a\r\n.zip", "x" * 200])
def test_a_name_that_could_be_anything_else_is_refused(name):
    with pytest.raises(ValueError, match="download's name"):
        downloads.lend(b"", name)
