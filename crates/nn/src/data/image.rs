//! PNG images as tensors, and folders of them as data sets.

use super::dataset::Dataset;
use super::source::{Problems, could_inflate, fail};
use png::{BitDepth, Decoder, DecodingError, Limits, Reader, Transformations};
use retrograd_tensor::{Error, ErrorKind, Tensor};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The most bytes of an image's elements.
const MOST_BYTES: usize = 1 << 28;

/// The image in the PNG file at `path`: `[channels, height, width]`, 1 channel of grey or 3 of colour, and one more
/// if it has transparency. Samples of up to 8 bits are `U8` from 0 to 255, those of 16 bits `I32` from 0 to 65,535; a
/// palette is looked up.
///
/// ```
/// use retrograd_nn::data::read_png;
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/camera.png");
/// assert_eq!(read_png(path)?.shape(), [1, 512, 512]);
/// # Ok::<(), retrograd_tensor::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be read, is no PNG file, is damaged, or asks for more than it can hold or than 256 MiB.
pub fn read_png(path: impl AsRef<Path>) -> Result<Tensor, Error> {
    read("read_png", path.as_ref())
}

fn read(op: &'static str, path: &Path) -> Result<Tensor, Error> {
    let (form, mut reader) = open(op, path)?;
    let Form { channels, height, width, deep } = form;
    let elements = channels * height * width;
    let mut data = vec![0; elements * if deep { 2 } else { 1 }];
    let damaged = |e: &DecodingError| fail(op, path, ErrorKind::Format, &format!("is damaged: {e}"));
    reader.next_frame(&mut data).map_err(|e| damaged(&e))?;
    let shape = [height, width, channels];
    let image = if deep {
        let (samples, _) = data.as_chunks::<2>();
        Tensor::from_vec(samples.iter().map(|&sample| i32::from(u16::from_be_bytes(sample))).collect(), shape)
    } else {
        Tensor::from_vec(data, shape)
    };
    Ok(image.permute([2, 0, 1]))
}

/// What the header of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    channels: usize,
    height: usize,
    width: usize,
    /// Samples of 16 bits.
    deep: bool,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { channels, height, width, deep } = self;
        write!(f, "[{channels}, {height}, {width}] of {} bits", if *deep { 16 } else { 8 })
    }
}

/// The header of the file at `path`, checked against its length, and the reader of what follows.
fn open(op: &'static str, path: &Path) -> Result<(Form, Reader<BufReader<File>>), Error> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (stored, file) =
        opened.map_err(|e| fail(op, path, ErrorKind::Io, &format!("cannot be opened: {e}")))?;
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes: MOST_BYTES });
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let no_png = |e: &DecodingError| match e {
        DecodingError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            fail(op, path, ErrorKind::Io, &format!("cannot be read: {e}"))
        }
        e => fail(op, path, ErrorKind::Format, &format!("is no PNG file: {e}")),
    };
    let info = decoder.read_header_info().map_err(|e| no_png(&e))?;
    let (width, height) = (u64::from(info.width), u64::from(info.height));
    let bits = info.bits_per_pixel() as u64;
    let raw = width.saturating_mul(bits).div_ceil(8).saturating_mul(height);
    // Four channels of 8 or 16 bits are the most that a pixel is expanded to.
    let expanded = width.saturating_mul(height).saturating_mul(4.max(bits.div_ceil(8)));
    if expanded > MOST_BYTES as u64 || !could_inflate(stored, raw) {
        let problem =
            format!("asks for {width} x {height} pixels, which its {stored} bytes cannot hold or nobody can");
        return Err(fail(op, path, ErrorKind::Format, &problem));
    }
    let reader = decoder.read_info().map_err(|e| no_png(&e))?;
    let (colour, depth) = reader.output_color_type();
    let form = Form {
        channels: colour.samples(),
        height: height as usize,
        width: width as usize,
        deep: depth == BitDepth::Sixteen,
    };
    Ok((form, reader))
}

/// The PNG images below a folder whose subfolders are the classes.
///
/// A sample is an image, `[channels, height, width]` as of [`read_png`], with its class; it is read when it is asked
/// for, so that a loader's workers read in parallel. Classes and files are in the order of their names.
///
/// ```
/// use retrograd_nn::data::{Dataset, ImageFolder};
/// let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/grass.png");
/// let folder = std::env::temp_dir().join(format!("images-doctest-{}", std::process::id()));
/// for class in ["lawn", "beach"] {
///     std::fs::create_dir_all(folder.join(class))?;
///     std::fs::copy(photo, folder.join(class).join("0.png"))?;
/// }
/// let images = ImageFolder::new(&folder)?;
/// assert_eq!(images.classes(), ["beach", "lawn"]);
/// let (image, class) = images.get(1)?;
/// assert_eq!((image.shape()[..].to_vec(), class), (vec![1, 512, 512], 1));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: torchvision's `ImageFolder`.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    classes: Vec<String>,
    /// The files with their classes.
    files: Vec<(PathBuf, i64)>,
    form: Form,
}

impl ImageFolder {
    const OP: &'static str = "ImageFolder";

    /// The images below `folder`. The headers of all files are read, and no more.
    ///
    /// # Errors
    /// If a folder cannot be read, there are no subfolders or one has no images, or images differ in size, channels
    /// or depth from the first; the first ten problems are listed by file.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let mut problems = Problems::default();
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        for (path, is_folder) in entries(folder)? {
            if !is_folder {
                continue;
            }
            let before = files.len();
            images_below(&path, classes.len() as i64, &mut files)?;
            if files.len() == before {
                problems.push(format!("{}: has no PNG files", path.display()));
            }
            classes.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        if classes.is_empty() {
            problems.push("has no subfolders; each is a class of images".to_owned());
        }
        let mut first: Option<Form> = None;
        for (path, _) in &files {
            match open(Self::OP, path) {
                Ok((form, _)) => {
                    let first = *first.get_or_insert(form);
                    if form != first {
                        problems.push(format!("{}: is {form}, not {first} as the first", path.display()));
                    }
                }
                Err(e) => problems.push(e.detail().to_owned()),
            }
        }
        problems.check(Self::OP, folder)?;
        match first {
            Some(form) => Ok(Self { classes, files, form }),
            None => Err(fail(Self::OP, folder, ErrorKind::Format, "has no images")),
        }
    }

    /// The names of the classes, in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The file of the sample at `index`.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn path(&self, index: usize) -> &Path {
        &self.files[index].0
    }
}

impl Dataset for ImageFolder {
    type Item = (Tensor, i64);

    fn len(&self) -> usize {
        self.files.len()
    }

    fn get(&self, index: usize) -> Result<(Tensor, i64), Error> {
        let (path, class) = &self.files[index];
        let image = read(Self::OP, path)?;
        let Form { channels, height, width, .. } = self.form;
        if image.shape()[..] != [channels, height, width] {
            let problem =
                format!("has changed: shape {}, not that of the others, {}", image.shape(), self.form);
            return Err(fail(Self::OP, path, ErrorKind::Format, &problem));
        }
        Ok((image, *class))
    }
}

/// What is in `folder` by name, and whether it is a folder.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>, Error> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir())))).collect()
    });
    let mut entries: Vec<(PathBuf, bool)> = listed
        .map_err(|e| fail(ImageFolder::OP, folder, ErrorKind::Io, &format!("cannot be listed: {e}")))?;
    entries.sort();
    Ok(entries)
}

/// Appends the PNG files in `folder` and below.
fn images_below(folder: &Path, class: i64, files: &mut Vec<(PathBuf, i64)>) -> Result<(), Error> {
    for (path, is_folder) in entries(folder)? {
        if is_folder {
            images_below(&path, class, files)?;
        } else if path.extension().and_then(OsStr::to_str).is_some_and(|end| end.eq_ignore_ascii_case("png"))
        {
            files.push((path, class));
        }
    }
    Ok(())
}
