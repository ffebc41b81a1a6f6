"""Checkpoints to and from the Hugging Face Hub: pinned to a commit, from the cache before the network."""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage]  # what its documentation says to catch
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
    XetDownloadError,
)
from huggingface_hub.hf_api import RepoFile

from engine.checkpoints.format import (
    CARD,
    CONFIG,
    LARGEST_TEXT,
    METRICS,
    WEIGHTS,
    RefusedCheckpoint,
    examine,
    most_weights,
)

FILES = (WEIGHTS, CONFIG, CARD)  # that every checkpoint has; METRICS not, where it was pushed before there was one
REPOSITORY, REVISION = r"\w[\w.-]*/\w[\w.-]*", r"\w[\w.-]*"
FRONT = "---\ntags:\n- medical-imaging\n- interpretability\n- counterfactual\n---\n\n"  # what the Hub reads of a README
HOW = "write hub:owner/name@revision with a commit hash or a tag"


def parse_address(address: str) -> tuple[str, str]:
    """``hub:owner/name@revision`` to ``("owner/name", "revision")``."""
    found = re.fullmatch(rf"hub:({REPOSITORY})@({REVISION})", address)
    if not found:
        raise RefusedCheckpoint(f"{address!r} does not name a pinned checkpoint; {HOW}.")
    return found[1], found[2]


def fetch(
    repository: str,
    revision: str,
    *,
    endpoint: str | None = None,
    cache: str | Path | None = None,
    token: str | bool | None = None,
) -> tuple[Path, str]:
    """The folder of a checkpoint on the Hub, and the commit it is.

    What the cache holds is used without asking the network, a tag included: the Hub could have moved it, the cache has
    not.

    Args:
        repository: ``owner/name``.
        revision: a commit hash, or a tag; a branch is refused, because what it names changes.
        endpoint: the Hub's address; the environment's HF_ENDPOINT or huggingface.co when None.
        cache: the Hub client's cache folder; its own choice when None.
        token: the Hub client's saved login when None.

    Raises:
        RefusedCheckpoint: not pinned, not there, not whole, too large, or neither cached nor reachable.
    """
    parse_address(f"hub:{repository}@{revision}")
    cache = Path(cache or constants.HF_HUB_CACHE)
    api = HfApi(endpoint=endpoint, token=token)
    try:
        cached = None if revision in ("main", "master") else _cached(repository, revision, cache)
        if cached is not None:
            return cached, cached.name
        commit = _pinned(api, repository, revision, cache)
        _refuse_unless_whole(api, repository, commit, cache)
        folder = api.snapshot_download(repository, revision=commit, allow_patterns=[*FILES, METRICS], cache_dir=cache)
    except HFValidationError:
        raise RefusedCheckpoint(f"{repository!r} cannot be the name of a repository on the Hub; {HOW}.") from None
    except RepositoryNotFoundError:  # the Hub answers the same for one that is private
        raise RefusedCheckpoint(
            f"The Hub shows no repository {repository}; check the name, or log in with `hf auth login` if it is "
            "private."
        ) from None
    except RevisionNotFoundError:
        raise RefusedCheckpoint(f"{repository} has no revision {revision}; {HOW}.") from None
    except (HTTPError, OSError, RevisionResolutionError, XetDownloadError) as error:
        raise RefusedCheckpoint(
            f"{repository}@{revision} is not in the cache ({cache}) and the Hub does not answer "
            f"({type(error).__name__}); go online once to fetch it, or name a folder."
        ) from error
    return Path(folder), commit


def push(
    folder: str | Path,
    repository: str,
    *,
    tag: str | None = None,
    private: bool = True,
    endpoint: str | None = None,
    token: str | bool | None = None,
) -> str:
    """Uploads a checkpoint in one commit, its card also as the repository's front page, and returns its pinned address.

    Args:
        folder: a checkpoint that `examine` accepts.
        repository: ``owner/name``; made when missing.
        tag: a name for the commit that is not taken yet.
        private: only matters when the repository is made.

    Raises:
        RefusedCheckpoint: the checkpoint does not open, the tag is taken, or the Hub does not take it.
    """
    checkpoint = examine(folder)
    api = HfApi(endpoint=endpoint, token=token)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        if tag is not None and any(known.name == tag for known in api.list_repo_refs(repository).tags):
            raise RefusedCheckpoint(f"{repository} already has a tag {tag}; choose another one.")
        commit = api.create_commit(
            repository,
            operations=[CommitOperationAdd(name, checkpoint.folder / name) for name in FILES]
            + [CommitOperationAdd(METRICS, checkpoint.metrics.text().encode())]
            + [CommitOperationAdd("README.md", (FRONT + checkpoint.card).encode())],
            commit_message=f"{checkpoint.name}, weights {checkpoint.sha256[:12]}",
        ).oid
        if tag is not None:
            api.create_tag(repository, tag=tag, revision=commit)
    except (HTTPError, OSError, RuntimeError, HFValidationError) as error:  # RuntimeError: an upload broke off
        raise RefusedCheckpoint(
            f"{checkpoint.name} was not pushed to {repository} ({type(error).__name__}); "
            "check the connection, the name, and that `hf auth login` was done with a token that may write."
        ) from error
    return f"hub:{repository}@{commit}"


def _cached(repository: str, revision: str, cache: Path) -> Path | None:
    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=[*FILES, METRICS], cache_dir=cache, local_files_only=True
            )
        )
    except LocalEntryNotFoundError:
        return None
    return folder if all((folder / name).is_file() for name in FILES) else None


def _pinned(api: HfApi, repository: str, revision: str, cache: Path) -> str:
    """The commit that `revision` is; a tag is written to the cache, so that it is known offline the next time."""
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    refs = api.list_repo_refs(repository)
    for branch in refs.branches:
        if branch.name == revision:
            raise RefusedCheckpoint(
                f"{revision} of {repository} is a branch, which moves; pin what it is now: "
                f"hub:{repository}@{branch.target_commit}."
            )
    if all(known.name != revision for known in refs.tags):
        tags = ", ".join(known.name for known in refs.tags) or "none"
        raise RefusedCheckpoint(f"{repository} has no tag {revision} (its tags: {tags}); {HOW}.")
    return api.resolve_revision(repository, revision=revision, cache_dir=cache).resolved


def _refuse_unless_whole(api: HfApi, repository: str, commit: str, cache: Path) -> None:
    """Asks for the sizes before anything is downloaded; how large the weights may be is the configuration's
    method's to say.
    """
    there = api.get_paths_info(repository, [*FILES, METRICS], revision=commit)
    sizes = {file.path: file.size for file in there if isinstance(file, RepoFile)}
    for name in FILES:
        if name not in sizes:
            raise RefusedCheckpoint(
                f"{repository}@{commit[:12]} has no {name}; a checkpoint has {', '.join(FILES)}, and nothing is ever "
                "unpickled."
            )

    def refuse_above(name: str, most: int) -> None:
        if sizes.get(name, 0) > most:
            raise RefusedCheckpoint(
                f"{name} of {repository}@{commit[:12]} has {sizes[name]:,} bytes; at most {most:,} are fetched."
            )

    refuse_above(CONFIG, LARGEST_TEXT)
    refuse_above(CARD, LARGEST_TEXT)
    refuse_above(METRICS, LARGEST_TEXT)
    refuse_above(
        WEIGHTS, most_weights(Path(api.hf_hub_download(repository, CONFIG, revision=commit, cache_dir=cache)).parent)
    )
