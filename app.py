"""Otherwise: what a model believes of a scan, where it looked, and what the scan would look like otherwise.

`streamlit run app.py` imports this file for the server, `app`, and runs it as a script for every page that is asked
for.
"""

import streamlit as st

ADDRESSES = ("learned", "bias", "models")  # of the pages behind the first


def show() -> None:
    """One run of the script: the page that is asked for, and the frame around it."""
    page = st.navigation(
        [
            st.Page("pages/explain.py", title="Explain", default=True),
            st.Page("pages/learned.py", title="What the model learned", url_path=ADDRESSES[0]),
            st.Page("pages/bias.py", title="Bias report", url_path=ADDRESSES[1]),
            st.Page("pages/models.py", title="Models", url_path=ADDRESSES[2]),
        ],
        position="hidden",
    )

    from pages.components import common, open_scans
    from server import sessions

    st.set_page_config(page_title=f"{page.title} - Otherwise", layout="wide", initial_sidebar_state="expanded")
    sessions.enter()

    with st.sidebar:
        with st.container(key="brand", gap=None):
            common.style()
            st.html(f"<p class='brand'>Otherwise</p><p class='notice'>{common.NOTICE}</p>")
        with st.container(key="navigation", gap=None):
            st.page_link("pages/explain.py", label="Explain")
            st.page_link("pages/learned.py", label="What the model learned")
            st.page_link("pages/bias.py", label="Bias report")
            st.page_link("pages/models.py", label="Models")

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
