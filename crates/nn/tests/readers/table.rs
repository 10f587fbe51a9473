//! CSV files.

use crate::files::{TempFolder, gzipped, refused};
use retrograd_nn::data::{Column, Csv, breast_cancer, sunspots};
use retrograd_tensor::{ErrorKind, F32, F64, I64, U8, attempt};

#[test]
fn columns_labels_and_types_are_read() {
    let folder = TempFolder::new("csv");
    let text = "a,kind, b \n1,\"x, y\",2.5\n-3e2,w,0.1\n4,w,nan\n";
    for path in [folder.file("a.csv", text.as_bytes()), folder.file("a.csv.gz", &gzipped(text.as_bytes()))] {
        let table = Csv::new().dtype(F64).label_names("kind").read(&path).unwrap();
        assert_eq!(table.names, ["a", "b"]);
        assert_eq!(table.classes, ["w", "x, y"]);
        assert_eq!(table.labels.as_ref().unwrap().to_vec::<i64>(), [1, 0, 0]);
        assert_eq!(table.values.to_vec::<f64>()[..5], [1.0, 2.5, -300.0, 0.1, 4.0]);
        assert!(table.values.to_vec::<f64>()[5].is_nan());
        assert!(table.column("c").is_none());
        assert_eq!(table.into_dataset().x.shape(), [3, 2]);
    }
    let path = folder.file("b.csv", b"# two\n1;2;3\n4;5;6\n");
    let table = Csv::new().header(false).skip(1).delimiter(b';').label(0).dtype(I64).read(&path).unwrap();
    assert_eq!(
        (table.names, table.values.to_vec::<i64>()),
        (vec!["1".to_owned(), "2".to_owned()], vec![2, 3, 5, 6])
    );
    assert_eq!(table.labels.unwrap().to_vec::<i64>(), [1, 4]);
    let table = Csv::new().header(false).skip(1).delimiter(b';').read(&path).unwrap();
    assert_eq!((table.values.dtype(), table.values.shape()[..].to_vec()), (F32, vec![2, 3]));
    assert!(attempt(|| table.into_dataset()).unwrap_err().detail().starts_with("no labels"));
    assert!(attempt(|| Csv::new().dtype(U8)).is_err());
}

#[test]
fn everything_wrong_is_listed_by_line_and_column() {
    let folder = TempFolder::new("no-csv");
    let path = folder.file("a.csv", b"a,b,y\n1,2,0\n1,x,0\n1,2\n1,2,0.5\n,2,1\n");
    let wrong = [
        "line 3, column `b` is no number: \"x\"",
        "line 4 has 2 fields, not 3",
        "line 5, column `y` is no whole number: \"0.5\"",
        "line 6, column `a` is no number: \"\"",
    ];
    refused(Csv::new().label("y").read(&path), &path, ErrorKind::Format, &wrong);
    let many = format!("a\n{}", "x\n".repeat(1000));
    let path = folder.file("many.csv", many.as_bytes());
    refused(Csv::new().read(&path), &path, ErrorKind::Format, &["line 11, ", "; and 990 more"]);
    let path = folder.file("float.csv", b"a\n1.5\n");
    let wrong = ["line 2, column `a` is no whole number of 64 bits"];
    refused(Csv::new().dtype(I64).read(&path), &path, ErrorKind::Format, &wrong);
    for text in ["", "a,b\n"] {
        let path = folder.file("empty.csv", text.as_bytes());
        refused(Csv::new().read(&path), &path, ErrorKind::Format, &["has no rows"]);
    }
    let path = folder.file("label.csv", b"a\n1\n");
    for column in [Column::from("y"), Column::At(1)] {
        let given = format!("has no column {column:?}; it has [\"a\"]");
        refused(Csv::new().label(column).read(&path), &path, ErrorKind::Format, &[&given]);
    }
    let path = folder.file("bytes.csv", b"a\n1\n\xff\n");
    refused(Csv::new().read(&path), &path, ErrorKind::Format, &["is no table of text after row 1"]);
    let whole = gzipped("1,2,3\n".repeat(3000).as_bytes());
    let path = folder.file("cut.csv.gz", &whole[..whole.len() / 2]);
    refused(Csv::new().read(&path), &path, ErrorKind::Format, &["ends too early: at row "]);
    let path = folder.0.join("missing.csv");
    refused(Csv::new().read(&path), &path, ErrorKind::Io, &["cannot be opened"]);
}

#[test]
fn bundled_tables_are_checked() {
    let folder = TempFolder::new("tables");
    let path = folder.file("sunspots.csv", b"YEAR,SPOTS\n1700,5\n");
    refused(sunspots(&path), &path, ErrorKind::Format, &["has no column `SUNACTIVITY`"]);
    let path = folder.file("cancer.csv", b"1,2\n0.5,x\n");
    refused(breast_cancer(&path), &path, ErrorKind::Format, &["line 2, column `1` is no whole number"]);
}
