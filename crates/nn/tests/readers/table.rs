//! CSV files.

use crate::files::{TempFolder, gzipped, refused};
use retrograd_nn::data::{Column, Csv, Missing, breast_cancer, sunspots};
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

/// Passengers: text, missing numbers, and a column that is of no use.
const TRAIN: &str = "Survived,Name,Sex,Age,Cabin,Fare\n\
    0,\"Braund, Owen\",male,22,,7.25\n\
    1,\"Cumings, Florence\",female,NA,C85,71\n\
    1,\"Heikkinen, Laina\",female,26,,NaN\n\
    0,\"Allen, William\",male,36,?,8.25\n";

#[test]
fn columns_are_chosen_by_name_and_text_becomes_numbers() {
    let folder = TempFolder::new("chosen");
    let path = folder.file("train.csv", TRAIN.as_bytes());
    let all = Csv::new().label("Survived").without(["Name", "Cabin"]).missing(Missing::Nan);
    let table = all.clone().categories("Sex").dtype(F64).read(&path).unwrap();
    assert_eq!(table.names, ["Sex", "Age", "Fare"]);
    assert_eq!(table.categories["Sex"], ["female", "male"]);
    let numbers = table.values.to_vec::<f64>();
    assert_eq!([numbers[0], numbers[1], numbers[2], numbers[3]], [1.0, 22.0, 7.25, 0.0]);
    assert!(numbers[4].is_nan() && numbers[8].is_nan() && numbers[10] == 36.0);
    assert_eq!(table.labels.unwrap().to_vec::<i64>(), [0, 1, 1, 0]);
    // In an order of one's own, by name or place.
    let some = Csv::new().columns([Column::from("Fare"), Column::At(0), Column::from("Sex")]);
    let table = some
        .missing_in("Fare", Missing::Value(-1.0))
        .categories_in("Sex", ["male", "female"])
        .read(&path)
        .unwrap();
    assert_eq!(table.names, ["Fare", "Survived", "Sex"]);
    assert_eq!(
        table.values.to_vec::<f32>(),
        [7.25, 0.0, 0.0, 71.0, 1.0, 1.0, -1.0, 1.0, 1.0, 8.25, 0.0, 0.0]
    );
    assert_eq!(table.categories["Sex"], ["male", "female"]);
    // Categories in I64, one of which is missing; `?` is a word unless it is said to be none.
    let cabins = Csv::new().columns(["Cabin"]).categories("Cabin").dtype(I64);
    let cabins = cabins.missing_in("Cabin", Missing::Value(-1.0));
    let read = |csv: Csv| csv.read(&path).unwrap();
    assert_eq!(read(cabins.clone()).values.to_vec::<i64>(), [-1, 1, -1, 0]);
    let table = read(cabins.missing_values(["?"]));
    assert_eq!(
        (table.values.to_vec::<i64>(), &table.categories["Cabin"][..]),
        (vec![-1, 0, -1, -1], &["C85".to_owned()][..])
    );
    // All of a column missing, which has no categories then.
    let path = folder.file("none.csv", b"a,b\n1,\n2,\n");
    let csv = Csv::new().categories("b").missing_in("b", Missing::Nan);
    let table = csv.read(&path).unwrap();
    assert!(
        table.categories["b"].is_empty()
            && table.column("b").unwrap().to_vec::<f32>().iter().all(|v| v.is_nan())
    );
}

#[test]
fn a_second_file_is_read_like_the_first() {
    let folder = TempFolder::new("like");
    let path = folder.file("train.csv", TRAIN.as_bytes());
    let features = Csv::new().columns(["Age", "Sex", "Fare"]).categories("Sex").missing(Missing::Mean);
    let train = features.clone().label("Survived").read(&path).unwrap();
    assert_eq!(train.column("Age").unwrap().to_vec::<f32>(), [22.0, 28.0, 26.0, 36.0]);
    assert_eq!((train.means["Age"], train.means["Fare"]), (28.0, 86.5 / 3.0));
    // Other columns, in another order, no label; a mean and a number of its own would differ.
    let test = folder.file("test.csv", b"Fare,Port,Sex,Age\n1,S,male,nan\n,C,male,50\n");
    let table = features.clone().like(&train).read(&test).unwrap();
    assert_eq!(table.names, ["Age", "Sex", "Fare"]);
    assert_eq!(table.values.to_vec::<f32>(), [28.0, 1.0, 1.0, 50.0, 1.0, 86.5 / 3.0]);
    assert_eq!(table.categories, train.categories);
    let test = folder.file("new.csv", b"Fare,Sex,Age\n1,male,2\n1,other,2\n");
    let wrong = ["line 3, column `Sex` is no known category: \"other\""];
    refused(features.like(&train).read(&test), &test, ErrorKind::Format, &wrong);
    // Classes keep their numbers too.
    let named = Csv::new().columns(["Age"]).label_names("Sex").missing(Missing::Mean);
    let train = named.clone().read(&path).unwrap();
    let test = folder.file("named.csv", b"Age,Sex\n1,male\n");
    assert_eq!(named.clone().read(&test).unwrap().labels.unwrap().to_vec::<i64>(), [0]);
    let again = named.clone().like(&train).read(&test).unwrap();
    assert_eq!((again.labels.unwrap().to_vec::<i64>(), again.classes), (vec![1], train.classes.clone()));
    let test = folder.file("class.csv", b"Age,Sex\n1,other\n1,NA\n");
    let wrong =
        ["line 2, column `Sex` is no known class: \"other\"", "line 3, column `Sex` is no class: \"NA\""];
    refused(named.like(&train).read(&test), &test, ErrorKind::Format, &wrong);
}

#[test]
fn missing_values_and_columns_that_do_not_fit_are_refused() {
    let folder = TempFolder::new("missing");
    let path = folder.file("train.csv", TRAIN.as_bytes());
    // By default each missing value is a fault, with its place and the way out.
    let plain = Csv::new().columns(["Age", "Fare"]);
    let way_out = "(a missing value: `missing` says what becomes of it)";
    let wrong = [
        &format!("line 3, column `Age` is no number: \"NA\" {way_out}")[..],
        &format!("line 4, column `Fare` is no number: \"NaN\" {way_out}"),
    ];
    refused(plain.clone().read(&path), &path, ErrorKind::Format, &wrong);
    refused(plain.clone().missing_in("Age", Missing::Nan).read(&path), &path, ErrorKind::Format, &wrong[1..]);
    let cabin = Csv::new().columns(["Cabin"]).categories("Cabin").missing(Missing::Nan);
    refused(cabin.read(&path), &path, ErrorKind::Format, &["line 2, column `Cabin` is no category: \"\""]);
    let text = ["line 2, column `Sex` is no number: \"male\""];
    refused(Csv::new().columns(["Sex"]).missing(Missing::Nan).read(&path), &path, ErrorKind::Format, &text);
    let none = folder.file("none.csv", b"a,b\n1,\n2,\n");
    refused(
        Csv::new().missing(Missing::Mean).read(&none),
        &none,
        ErrorKind::Format,
        &["column `b` has no values"],
    );
    // Two columns of one name.
    let twice = folder.file("twice.csv", b"a,b,a,b,c, a\n1,2,3,4,5,6\n");
    let names = ["has several columns of one name: [\"a\", \"b\"]"];
    refused(Csv::new().read(&twice), &twice, ErrorKind::Format, &names);
    assert_eq!(Csv::new().header(false).skip(1).read(&twice).unwrap().names.len(), 6);
    // What contradicts itself.
    let label = Csv::new().label("Survived");
    for (csv, wrong) in [
        (label.clone().columns(["Survived"]), "column `Survived` cannot be read so: it is the label"),
        (plain.clone().columns(["Age", "Age"]), "column `Age` cannot be read so: it is listed twice"),
        (plain.clone().categories("Sex"), "column `Sex` cannot be read so: it is none of the columns"),
        (plain.clone().without(["Age"]).missing_in("Age", Missing::Nan), "column `Age` cannot be read so"),
        (
            Csv::new().columns(["Sex"]).categories("Sex").missing_in("Sex", Missing::Mean),
            "categories have no mean",
        ),
        (plain.clone().missing(Missing::Mean).dtype(I64), "read F32 or F64"),
        (plain.clone().missing(Missing::Value(0.5)).dtype(I64), "0.5 is no whole number"),
    ] {
        refused(csv.read(&path), &path, ErrorKind::Value, &[wrong]);
    }
    for csv in
        [plain.clone().columns(["Height"]), plain.clone().without(["Height"]), plain.categories("Height")]
    {
        refused(
            csv.read(&path),
            &path,
            ErrorKind::Format,
            &["has no column Name(\"Height\"); it has [\"Survived\", "],
        );
    }
}
