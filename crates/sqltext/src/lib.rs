//! SQL as PostgreSQL's own grammar sees it. Pure: it knows no server and no catalog.
