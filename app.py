"""Otherwise: what a model believes of a scan, where it looked, and what the scan would look like otherwise.

`streamlit run app.py` imports this file for the server, `app`, and runs it as a script for every page that is asked
for.
"""

import streamlit as st

PAGES = (  # in the order of the sidebar: script, title, address; the first is where a visitor arrives
    ("pages/explain.py", "Explain", ""),
    ("pages/worklist.py", "Worklist", "worklist"),
    ("pages/compare.py", "Compare", "compare"),
    ("pages/review.py", "Review", "review"),
    ("pages/learned.py", "What the model learned", "learned"),
    ("pages/similar.py", "Similar cases", "similar"),
    ("pages/bias.py", "Bias report", "bias"),
    ("pages/models.py", "Models", "models"),
)
ADDRESSES = tuple(address for _, _, address in PAGES if address)


def show() -> None:
    """One run of the script: the page that is asked for, and the frame around it."""
    pages = [st.Page(script, title=title, url_path=at or None, default=not at) for script, title, at in PAGES]
    page = st.navigation(pages, position="hidden")

    from pages.components import common, open_scans, tour
    from server import sessions

    st.set_page_config(page_title=f"{page.title} - Otherwise", layout="wide", initial_sidebar_state="expanded")
    sessions.enter()

    with st.sidebar:
        with st.container(key="brand", gap=None):
            common.style()
            st.html(f"<p class='brand'>Otherwise</p><p class='notice'>{common.NOTICE}</p>")
        with st.container(key="navigation", gap=None):
            for script, title, _ in PAGES:
                st.page_link(script, label=title)

    tour.bar()
    with common.app_frame():
        page.run()

    with st.sidebar, st.container(key="open-count", gap=None):
        open_now = sum(entry.state != "refused" for entry in open_scans.scans().values())
        st.text(f"{open_now} {'scan' if open_now == 1 else 'scans'} open")


if __name__ == "__main__":
    show()
else:
    from pages.components import scan_list
    from server import doors

    routes = [*doors.routes(ADDRESSES), *scan_list.routes()]
    app = st.App(__file__, routes=routes, middleware=doors.middleware(routes, ADDRESSES), lifespan=doors.lifespan)
