//! Does the reader understand what migrations say?

use super::catalog::of;
use super::{Catalog, Dialect, Expr};

fn read(text: &str, dialect: Dialect) -> Catalog {
    let catalog = of(text, dialect);
    assert_eq!(catalog.unread, [], "{text}");
    catalog
}

/// Tables with columns and constraints, then indexes and triggers, one a line.
fn print(catalog: &Catalog) -> Vec<String> {
    let mut lines = Vec::new();
    for table in catalog.tables.values() {
        for column in &table.columns {
            let null = if column.not_null { "" } else { " NULL" };
            let default = column.default.as_ref().map(Expr::text);
            let default = default.map_or_else(String::new, |text| format!(" = {text}"));
            lines.push(format!(
                "{}.{} {}{null}{default}",
                table.name, column.name, column.type_
            ));
        }
        for key in table.keys() {
            lines.push(format!("{} key {}", table.name, key.columns.join(",")));
        }
        for key in &table.foreign {
            let (own, referred) = (key.columns.join(","), key.referred.join(","));
            lines.push(format!(
                "{} {own} -> {} {referred} {}",
                table.name,
                key.target,
                key.actions.join(",")
            ));
        }
        for check in &table.checks {
            lines.push(format!("{} check {}", table.name, check.expr.text()));
        }
    }
    for index in catalog.indexes.values() {
        let keys: Vec<_> = index.keys.iter().map(Expr::text).collect();
        let only = index.only.as_ref().map_or_else(String::new, Expr::text);
        lines.push(format!(
            "{} on {} {} {only}",
            index.name,
            index.table,
            keys.join("|")
        ));
    }
    for trigger in catalog.triggers.values() {
        lines.push(format!(
            "{} {} {} {}",
            trigger.name,
            trigger.timing,
            trigger.events.join("+"),
            trigger.table
        ));
    }
    lines
}

#[test]
fn tables_indexes_and_triggers_are_read() {
    let text = "CREATE TABLE IF NOT EXISTS main.\"a\" (id TEXT NOT NULL PRIMARY KEY, -- (\n\
                n INTEGER DEFAULT (1 + 2) CHECK (n BETWEEN 1 AND 9), t VARCHAR(50) COLLATE NOCASE UNIQUE,\n\
                CONSTRAINT c CHECK ((id = ';') = (n IS NOT NULL))) WITHOUT ROWID, STRICT;\n\
                CREATE TABLE b (x TEXT REFERENCES a ON DELETE SET NULL, y TEXT, FOREIGN KEY (y, x) REFERENCES a (id, n));\n\
                CREATE UNIQUE INDEX i ON b (x DESC, COALESCE(y, ''), lower(y)) WHERE y = 'z';\n\
                CREATE TRIGGER g BEFORE UPDATE OF x, y ON b WHEN 1 BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END;\n\
                INSERT INTO b VALUES (';', 'CREATE TABLE c (x TEXT)');";
    assert_eq!(
        print(&read(text, Dialect::Sqlite)),
        [
            "a.id TEXT",
            "a.n INTEGER NULL = 1 + 2",
            "a.t VARCHAR ( 50 ) NULL",
            "a key id",
            "a key t",
            "a check n between 1 and 9",
            "a check ( id = ';' ) = ( n is not null )",
            "b.x TEXT NULL",
            "b.y TEXT NULL",
            "b x -> a id on delete set null",
            "b y,x -> a id,n ",
            "i on b x desc|coalesce ( y , '' )|lower ( y ) y = 'z'",
            "g BEFORE UPDATE OF x , y b",
        ]
    );
}

#[test]
fn functions_of_postgres_may_hold_anything() {
    let text = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ; CREATE TABLE no (x TEXT); END $$;\n\
                CREATE TABLE a (id BIGSERIAL PRIMARY KEY, at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),\n\
                n BIGINT GENERATED ALWAYS AS IDENTITY) WITH (fillfactor = 50);\n\
                CREATE TRIGGER t AFTER DELETE OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION f();\n\
                CREATE CONSTRAINT TRIGGER u AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED\n\
                FOR EACH ROW EXECUTE FUNCTION f();\n\
                ALTER TABLE a ENABLE ROW LEVEL SECURITY;";
    let catalog = read(text, Dialect::Postgres);
    assert_eq!(
        print(&catalog),
        [
            "a.id BIGSERIAL",
            "a.at TIMESTAMP WITH TIME ZONE = now ( )",
            "a.n BIGINT",
            "a key id",
            "t AFTER DELETE+UPDATE a",
            "u AFTER INSERT a",
        ]
    );
    let counted: Vec<_> = catalog
        .tables
        .values()
        .flat_map(|table| &table.columns)
        .map(|c| c.counted)
        .collect();
    assert_eq!(counted, [true, false, true]);
}

#[test]
fn later_migrations_change_what_earlier_ones_made() {
    let text = "CREATE TABLE a (id TEXT NOT NULL, old TEXT CHECK (old IN ('x')), gone TEXT, PRIMARY KEY (id));\n\
                CREATE INDEX i ON a (gone); CREATE INDEX j ON a (old) WHERE old = 'x';\n\
                ALTER TABLE a ADD COLUMN n BIGINT NOT NULL DEFAULT 0, DROP COLUMN gone, ADD CONSTRAINT c UNIQUE (n);\n\
                ALTER TABLE a RENAME COLUMN old TO new; ALTER TABLE a ALTER COLUMN n TYPE TEXT USING n::text;\n\
                ALTER TABLE a ALTER n DROP NOT NULL, ALTER n DROP DEFAULT; ALTER TABLE a DROP CONSTRAINT c;\n\
                ALTER TABLE a RENAME TO b; DROP TABLE IF EXISTS z, y CASCADE;";
    assert_eq!(
        print(&read(text, Dialect::Postgres)),
        [
            "b.id TEXT",
            "b.new TEXT NULL",
            "b.n TEXT NULL",
            "b key id",
            "b check new in ( 'x' )",
            "j on b new new = 'x'",
        ]
    );
}

#[test]
fn what_is_not_known_is_a_fault_and_never_skipped() {
    for (text, expected) in [
        ("CREATE TABLE a AS SELECT 1", "`(` is expected"),
        ("CREATE SEQUENCE s", "a statement that is not known here"),
        (
            "DO $$ BEGIN CREATE TABLE a (x TEXT); END $$",
            "a statement that is not known here",
        ),
        (
            "CREATE TABLE a (x TEXT) INHERITS (b)",
            "an option of a table that is not known here",
        ),
        (
            "CREATE TABLE a (x TEXT GENERATED ALWAYS AS (y) STORED)",
            "a constraint of a column that is not known here",
        ),
        (
            "CREATE TABLE a (x TEXT, EXCLUDE USING gist (x WITH =))",
            "a constraint that is not known here",
        ),
        ("CREATE TABLE a (x TEXT", "`)` is expected"),
        ("ALTER TABLE a ADD COLUMN x TEXT", "there is no table `a`"),
        ("CREATE INDEX i ON a (x)", "there is no table `a`"),
        (
            "CREATE TABLE a (x TEXT REFERENCES b (x))",
            "there is no table `b`",
        ),
        ("CREATE TABLE a (x TEXT); DROP TABLE b", "there is no table `b`"),
        (
            "CREATE TABLE a (x TEXT); ALTER TABLE a DROP COLUMN y",
            "there is no column `a.y`",
        ),
        (
            "CREATE TABLE a (x TEXT); ALTER TABLE a DISABLE TRIGGER ALL",
            "a change of a table that is not known here",
        ),
        (
            "CREATE TABLE a (x TEXT); CREATE TABLE A (x TEXT)",
            "there is a table `a`",
        ),
    ] {
        let unread = of(text, Dialect::Postgres).unread;
        let told: Vec<_> = unread.iter().map(|unread| unread.what.as_str()).collect();
        assert_eq!(told, [expected], "{text}");
    }
}
