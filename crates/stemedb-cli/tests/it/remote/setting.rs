//! Which server is asked, and what it is shown.
