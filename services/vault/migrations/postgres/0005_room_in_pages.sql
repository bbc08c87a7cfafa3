-- Re-encryption changes every row of a page at once. Where the page has room for all the new rows, no index
-- hears of them (HOT); else each row is entered anew in every index, and that is nearly half of the work: three
-- of six WAL records a row are the indexes'. Walking 200,000 credentials took one connection 41,000 rows a
-- second with full pages and 69,000 with half-full ones. The price is a table of twice the size.
-- Pages that exist already stay full; their rows leave them as they change.
ALTER TABLE credentials SET (fillfactor = 50);
ALTER TABLE credential_versions SET (fillfactor = 50);
