//! Views and materialized views over tables and each other.

use super::Draft;

/// A relation that a view can read.
#[derive(Clone)]
struct Source {
    sql: String,
    column: String,
    /// A table, which can always be read.
    is_table: bool,
    is_plain: bool,
}

impl Draft {
    pub(super) fn some_views(&mut self) {
        let tables = self.tables.iter().map(|table| Source {
            sql: table.sql.clone(),
            column: table.number.clone(),
            is_table: true,
            is_plain: !table.is_partition,
        });
        let mut sources: Vec<Source> = tables.collect();
        for _ in 0..1 + self.random.below(6) {
            let view = if self.random.chance(30) {
                self.materialized_view(&sources)
            } else if self.random.chance(30) {
                self.checked_view(&sources)
            } else {
                self.view(&sources)
            };
            // Listed twice, so that views over views are as frequent as views over tables.
            sources.extend([view.clone(), view]);
        }
    }

    fn query(&mut self, sources: &[Source], column: &str) -> (String, bool) {
        let (one, other) = (self.random.pick(sources), self.random.pick(sources));
        let ((a, x), (b, y)) = ((&one.sql, &one.column), (&other.sql, &other.column));
        let query = match self.random.below(7) {
            0 => format!(
                "SELECT a.{x} AS {column}, b.{y} AS other FROM {a} AS a LEFT JOIN {b} AS b ON a.{x} = b.{y}"
            ),
            1 => format!("SELECT {x} AS {column} FROM {a} UNION ALL SELECT {y} FROM {b}"),
            2 => format!(
                "SELECT max({x}) AS {column}, 'it''s' AS label FROM {a} GROUP BY {x} HAVING count(*) > 1"
            ),
            3 => format!(
                "WITH w AS (SELECT {x} AS n FROM {a}) SELECT n AS {column} FROM w WHERE n IN (SELECT {y} FROM {b})"
            ),
            4 if one.is_table => format!("SELECT {x} AS {column} FROM ONLY {a} ORDER BY 1 DESC LIMIT 3"),
            5 => format!(
                "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT r.n AS {column}, a.* FROM r, {a} AS a"
            ),
            _ => format!("SELECT row_number() OVER (ORDER BY {x})::integer AS {column} FROM {a}"),
        };
        (query, one.is_table && other.is_table)
    }

    fn view(&mut self, sources: &[Source]) -> Source {
        let (sql, column) = (self.object("view"), self.name("number"));
        let (query, _) = self.query(sources, &column);
        let options = self.random.some(25, &["security_barrier", "security_invoker = true"]);
        let options =
            if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) };
        self.add(format!("CREATE VIEW {sql}{options} AS {query}"));
        self.instead(&sql);
        Source { sql, column, is_table: false, is_plain: false }
    }

    /// An updatable view that accepts only rows that meet its condition (WITH CHECK OPTION).
    fn checked_view(&mut self, sources: &[Source]) -> Source {
        let tables: Vec<Source> = sources.iter().filter(|source| source.is_plain).cloned().collect();
        let of = self.random.pick(&tables);
        let (sql, column) = (self.object("checked"), self.name("number"));
        let check = self.random.pick(&["LOCAL", "CASCADED"]);
        let barrier = self.random.maybe(40, " WITH (security_barrier = false)");
        self.add(format!(
            "CREATE VIEW {sql}{barrier} AS SELECT {} AS {column} FROM {} WHERE {} > 0 WITH {check} CHECK OPTION",
            of.column, of.sql, of.column
        ));
        Source { sql, column, is_table: false, is_plain: self.random.chance(50) }
    }

    fn materialized_view(&mut self, sources: &[Source]) -> Source {
        let (sql, column) = (self.object("kept"), self.name("number"));
        let (query, has_rows) = self.query(sources, &column);
        let options = self.random.maybe(30, " WITH (fillfactor = 70, autovacuum_enabled = false)");
        // A view without data cannot be read, so neither can views that read it.
        let data = if has_rows && self.random.chance(50) { "" } else { " WITH NO DATA" };
        self.add(format!("CREATE MATERIALIZED VIEW {sql}{options} AS {query}{data}"));
        for _ in 0..self.random.below(3) {
            let index = self.name("index");
            let unique = self.random.maybe(40, "UNIQUE ");
            let condition = self.random.maybe(30, " WHERE true");
            self.add(format!("CREATE {unique}INDEX {index} ON {sql} ({column} DESC){condition}"));
        }
        Source { sql, column, is_table: false, is_plain: false }
    }

    fn instead(&mut self, view: &str) {
        if self.random.chance(40) {
            let (name, function) = (self.name("trigger"), self.function.clone());
            let event = self.random.pick(&["INSERT", "UPDATE OR DELETE", "INSERT OR DELETE"]);
            self.add(format!(
                "CREATE TRIGGER {name} INSTEAD OF {event} ON {view} FOR EACH ROW EXECUTE FUNCTION {function}('a')"
            ));
        }
        if self.random.chance(30) {
            let name = self.name("rule");
            let event = self.random.pick(&["INSERT", "UPDATE", "DELETE"]);
            self.add(format!("CREATE RULE {name} AS ON {event} TO {view} DO INSTEAD NOTHING"));
        }
    }
}
