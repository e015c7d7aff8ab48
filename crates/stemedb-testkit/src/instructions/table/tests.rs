use super::{Row, Table};

fn row(name: &str, instructions: u64) -> Row {
    let name = name.to_owned();
    Row { name, instructions }
}

fn table(rows: &[(&str, u64)]) -> Table {
    Table(rows.iter().map(|(name, count)| row(name, *count)).collect())
}

#[test]
fn what_is_written_is_read_back() {
    let written = table(&[("append", 1000), ("read/id", 20)]);
    assert_eq!(Table::parse(&written.render("rustc 1")).unwrap(), written);
}

#[test]
fn a_line_that_is_no_row_is_refused() {
    for bad in [
        "append 1000",
        "append\t",
        "append\t-1",
        "append\t1\t2",
        "\t5",
    ] {
        assert!(Table::parse(&format!("# head\n{bad}\n")).is_err(), "{bad}");
    }
}

#[test]
fn more_than_ten_percent_more_is_a_failure_that_names_both_counts() {
    let before = table(&[("append", 1000), ("read/id", 1000)]);
    let report = before.compare(&[row("append", 1101), row("read/id", 1100)]);
    assert_eq!(report.falls, Vec::<String>::new());
    assert_eq!(
        report.rises,
        ["append: 1000 -> 1101: a rise of more than 10 %"]
    );
}

#[test]
fn more_than_ten_percent_less_is_told_and_is_no_failure() {
    let before = table(&[("append", 1000), ("read/id", 1000)]);
    let report = before.compare(&[row("append", 899), row("read/id", 900)]);
    assert_eq!(report.rises, Vec::<String>::new());
    assert_eq!(report.falls.len(), 1);
    assert!(report.falls[0].starts_with("append: 1000 -> 899: a gain"));
}

#[test]
fn a_row_that_the_file_does_not_have_is_a_failure() {
    let report = table(&[]).compare(&[row("append", 1)]);
    assert_eq!(report.rises.len(), 1);
}

#[test]
fn a_row_that_is_counted_anew_keeps_its_place() {
    let table = table(&[("append", 1), ("apply", 2)]).with(vec![row("append", 3), row("read", 4)]);
    assert_eq!(table.0, [row("append", 3), row("apply", 2), row("read", 4)]);
}
