//! The data sets of the examples, and MNIST and Fashion-MNIST in full: one call each.

use super::idx::read_idx;
use super::source::fail;
use super::table::{Column, Csv};
use super::tensors::{Split, TensorDataset};
use retrograd_tensor::{Error, ErrorKind, F32, I64, Tensor};
use std::path::{Path, PathBuf};

/// MNIST, or a set with its file names such as Fashion-MNIST, from a folder: images `[samples, 1, 28, 28]` in `F32`
/// from 0 to 1, labels `[samples]` in `I64`.
///
/// The folder has the four files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each as it is or with `.gz`.
///
/// # Errors
/// If a file is missing, is no IDX file of bytes, or images and labels do not fit each other.
pub fn mnist(folder: impl AsRef<Path>) -> Result<Split, Error> {
    let folder = folder.as_ref();
    let part = |name: &str| {
        let images = either(folder, &format!("{name}-images-idx3-ubyte"))?;
        labelled("mnist", &images, &either(folder, &format!("{name}-labels-idx1-ubyte"))?, 3, 10)
    };
    Ok(Split { train: grey(part("train")?), test: grey(part("t10k")?) })
}

/// Fashion-MNIST in full: [`mnist`] by another name, since the files bear the same names.
///
/// # Errors
/// Those of [`mnist`].
pub fn fashion_mnist(folder: impl AsRef<Path>) -> Result<Split, Error> {
    mnist(folder)
}

/// The first 5,000 training and 1,000 test images of Fashion-MNIST, from the folder of the examples' data: images
/// `[samples, 1, 28, 28]` in `F32` from 0 to 1, labels `[samples]` in `I64`, whose names are [`FASHION_CLASSES`].
///
/// ```
/// use retrograd_nn::data;
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data");
/// let data::Split { train, test } = data::fashion(folder)?;
/// assert_eq!((train.x.shape()[..].to_vec(), test.y.numel()), (vec![5000, 1, 28, 28], 1000));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If a file is missing or is not as it should be.
pub fn fashion(folder: impl AsRef<Path>) -> Result<Split, Error> {
    let folder = folder.as_ref();
    let part = |name: &str| {
        let images = folder.join(format!("fashion-{name}-images-idx3-ubyte.gz"));
        labelled("fashion", &images, &folder.join(format!("fashion-{name}-labels-idx1-ubyte.gz")), 3, 10)
    };
    Ok(Split { train: grey(part("train5000")?), test: grey(part("test1000")?) })
}

/// What the ten classes of Fashion-MNIST are.
pub const FASHION_CLASSES: [&str; 10] =
    ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"];

/// 1,906 emoji in nine Unicode categories, from the folder of the examples' data: images `[samples, 3, 16, 16]` in
/// `F32` from 0 to 1, labels `[samples]` in `I64`.
///
/// ```
/// use retrograd_nn::data;
/// let emoji = data::emoji16(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data"))?;
/// assert_eq!(emoji.x.shape(), [1906, 3, 16, 16]);
/// assert_eq!(emoji.y.amax(()).item(), 8.0);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If a file is missing or is not as it should be.
pub fn emoji16(folder: impl AsRef<Path>) -> Result<TensorDataset, Error> {
    let folder = folder.as_ref();
    let images = folder.join("emoji16-images-idx4-ubyte.gz");
    let TensorDataset { x, y } =
        labelled("emoji16", &images, &folder.join("emoji16-labels-idx1-ubyte.gz"), 4, 9)?;
    let x = x.cast(F32).permute([0, 3, 1, 2]) / 255.0;
    x.force();
    Ok(TensorDataset::new(x, y))
}

/// 569 breast tumours: 30 measurements each, `[569, 30]` in `F32` as they are in the file, and labels, 0 malignant and 1
/// benign, `[569]` in `I64`.
///
/// ```
/// use retrograd_nn::data;
/// let data = data::breast_cancer(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/breast_cancer.csv"))?;
/// assert_eq!((data.x.shape()[..].to_vec(), data.y.sum(()).item()), (vec![569, 30], 357.0));
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If the file is missing or is not as it should be.
pub fn breast_cancer(path: impl AsRef<Path>) -> Result<TensorDataset, Error> {
    Ok(Csv::new().header(false).skip(1).label(Column::Last).read(path)?.into_dataset())
}

/// The sunspot number of each year from 1700 to 2008: years `x` in `I64` and numbers `y` in `F32`, `[309]` each.
///
/// ```
/// use retrograd_nn::data;
/// let data = data::sunspots(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/sunspots.csv"))?;
/// assert_eq!((data.len(), data.x.to_vec::<i64>()[308]), (309, 2008));
/// assert_eq!(data.y.to_vec::<f32>()[..3], [5.0, 11.0, 16.0]);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If the file is missing or is not as it should be.
pub fn sunspots(path: impl AsRef<Path>) -> Result<TensorDataset, Error> {
    let path = path.as_ref();
    let table = Csv::new().label("YEAR").read(path)?;
    match table.column("SUNACTIVITY") {
        Some(numbers) => Ok(TensorDataset::new(table.into_dataset().y, numbers)),
        None => Err(fail("sunspots", path, ErrorKind::Format, "has no column `SUNACTIVITY`")),
    }
}

/// The file `name` in `folder`, or, if there is none, `name.gz`.
fn either(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let (plain, gzipped) = (folder.join(name), folder.join(format!("{name}.gz")));
    match (plain.exists(), gzipped.exists()) {
        (true, _) => Ok(plain),
        (false, true) => Ok(gzipped),
        _ => {
            let problem = format!("has neither `{name}` nor `{name}.gz`");
            Err(fail("mnist", folder, ErrorKind::Io, &problem))
        }
    }
}

/// Bytes of images of `axes` axes with their labels, below `classes`.
fn labelled(
    op: &'static str,
    images: &Path,
    labels: &Path,
    axes: usize,
    classes: u8,
) -> Result<TensorDataset, Error> {
    let (x, y) = (read_idx(images)?, read_idx(labels)?);
    let wrong = |path: &Path, problem: &str| Err(fail(op, path, ErrorKind::Format, problem));
    if x.rank() != axes || !x.dtype().is_int() || x.dtype().size() != 1 {
        return wrong(images, &format!("is {} {}, not bytes of {axes} axes", x.dtype(), x.shape()));
    }
    if y.shape()[..] != x.shape()[..1] || !y.dtype().is_int() {
        let samples = x.shape()[0];
        return wrong(labels, &format!("is {} {}, not the labels of {samples} images", y.dtype(), y.shape()));
    }
    let y = y.cast(I64);
    y.force();
    if let Some(at) = y.iter::<i64>().position(|label| !(0..i64::from(classes)).contains(&label)) {
        return wrong(labels, &format!("has a label out of range at place {at}; labels lie in 0..{classes}"));
    }
    Ok(TensorDataset::new(x, y))
}

/// The same with images of one channel from 0 to 1.
#[track_caller]
fn grey(data: TensorDataset) -> TensorDataset {
    let x: Tensor = data.x.cast(F32).unsqueeze(1) / 255.0;
    x.force();
    TensorDataset::new(x, data.y)
}
