//! PNG files, and folders of them.

use crate::files::{TempFolder, refused};
use png::{BitDepth, ColorType, Encoder};
use retrograd_nn::data::{DataLoader, Dataset, ImageFolder, read_png};
use retrograd_tensor::{ErrorKind, I32, U8};

fn encoded(colour: ColorType, depth: BitDepth, [width, height]: [u32; 2], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette(&[1, 2, 3, 250, 251, 252][..]);
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

#[test]
fn all_colours_and_depths_are_read() {
    let folder = TempFolder::new("png");
    let read = |colour, depth, data: &[u8]| {
        let x = read_png(folder.file("a.png", &encoded(colour, depth, [2, 1], data))).unwrap();
        (x.dtype(), x.shape()[..].to_vec(), x.cast(I32).to_vec::<i32>())
    };
    use BitDepth::{Eight, One, Sixteen};
    assert_eq!(read(ColorType::Grayscale, Eight, &[3, 255]), (U8, vec![1, 1, 2], vec![3, 255]));
    assert_eq!(read(ColorType::Grayscale, One, &[0b0100_0000]), (U8, vec![1, 1, 2], vec![0, 255]));
    assert_eq!(
        read(ColorType::Grayscale, Sixteen, &[1, 2, 255, 255]),
        (I32, vec![1, 1, 2], vec![258, 65535])
    );
    assert_eq!(read(ColorType::GrayscaleAlpha, Eight, &[1, 2, 3, 4]), (U8, vec![2, 1, 2], vec![1, 3, 2, 4]));
    let planes = vec![1, 4, 2, 5, 3, 6];
    assert_eq!(read(ColorType::Rgb, Eight, &[1, 2, 3, 4, 5, 6]), (U8, vec![3, 1, 2], planes.clone()));
    let wide: Vec<u8> = (1..=6).flat_map(|v| [0, v]).collect();
    assert_eq!(read(ColorType::Rgb, Sixteen, &wide), (I32, vec![3, 1, 2], planes));
    let planes = vec![1, 5, 2, 6, 3, 7, 4, 8];
    assert_eq!(read(ColorType::Rgba, Eight, &[1, 2, 3, 4, 5, 6, 7, 8]), (U8, vec![4, 1, 2], planes.clone()));
    let wide: Vec<u8> = (1..=8).flat_map(|v| [0, v]).collect();
    assert_eq!(read(ColorType::Rgba, Sixteen, &wide), (I32, vec![4, 1, 2], planes));
    assert_eq!(read(ColorType::Indexed, Eight, &[1, 0]), (U8, vec![3, 1, 2], vec![250, 1, 251, 2, 252, 3]));
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data");
    assert_eq!(read_png(format!("{data}/chelsea.png")).unwrap().shape(), [3, 300, 451]);
}

#[test]
fn files_that_are_no_png_are_refused() {
    let folder = TempFolder::new("no-png");
    let good = encoded(
        ColorType::Rgb,
        BitDepth::Eight,
        [40, 30],
        &(0..3600).map(|i| (i * i % 251) as u8).collect::<Vec<_>>(),
    );
    let mut claims = good.clone();
    claims[16..24].copy_from_slice(&[0, 0, 0x20, 0, 0, 0, 0x20, 0]);
    let mut huge = good.clone();
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    // Checksums of the headers, so that it is the sizes that are refused.
    for bytes in [&mut claims, &mut huge] {
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    }
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "is no PNG file"),
        ("text", b"not an image at all", "is no PNG file"),
        ("header", &good[..20], "is no PNG file"),
        ("cut", &good[..good.len() / 2], "is damaged"),
        ("claims", &claims, "asks for 8192 x 8192 pixels"),
        ("huge", &huge, "asks for 2147483647 x 2147483647 pixels"),
    ];
    for (name, content, problem) in cases {
        let path = folder.file(name, content);
        refused(read_png(&path), &path, ErrorKind::Format, &[problem]);
    }
    // Any damaged byte is an error or another image, never a panic.
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0x55;
        let _ = read_png(folder.file("damaged", &damaged));
    }
    let path = folder.0.join("missing.png");
    refused(read_png(&path), &path, ErrorKind::Io, &["cannot be opened"]);
}

#[test]
fn subfolders_are_classes() {
    let folder = TempFolder::new("folder");
    let image = |value: u8| encoded(ColorType::Grayscale, BitDepth::Eight, [2, 2], &[value; 4]);
    for (name, value) in [("b/1.png", 3), ("b/deep/0.PNG", 4), ("a/9.png", 2), ("a/10.png", 1)] {
        folder.file(name, &image(value));
    }
    folder.file("a/notes.txt", b"no image");
    folder.file("list.txt", b"no class");
    let images = ImageFolder::new(&folder.0).unwrap();
    assert_eq!((images.classes(), images.len()), (&["a".to_owned(), "b".to_owned()][..], 4));
    assert!(images.path(0).ends_with("a/10.png"));
    let mut loader = DataLoader::new(images.clone()).batch_size(4).workers(2);
    let (x, y) = loader.batches().next().unwrap().unwrap();
    assert_eq!((x.shape()[..].to_vec(), y.to_vec::<i64>()), (vec![4, 1, 2, 2], vec![0, 0, 1, 1]));
    assert_eq!(x.amax([1, 2, 3]).to_vec::<u8>(), [1, 2, 3, 4]);

    // A file that changes later is an error where it is read.
    let path = folder.file("a/9.png", &encoded(ColorType::Grayscale, BitDepth::Eight, [4, 1], &[0; 4]));
    refused(images.get(1), &path, ErrorKind::Format, &["has changed: shape [1, 1, 4]"]);
    let other = folder.file("b/2.png", &encoded(ColorType::Rgb, BitDepth::Eight, [2, 2], &[0; 12]));
    let broken = folder.file("b/3.png", b"broken");
    std::fs::create_dir(folder.0.join("c")).unwrap();
    let problems = [
        format!("{}: is [1, 1, 4] of 8 bits, not [1, 2, 2] of 8 bits as the first", path.display()),
        format!("{}: is [3, 2, 2] of 8 bits", other.display()),
        format!("{}: is no PNG file", broken.display()),
        "c: has no PNG files".to_owned(),
    ];
    let problems: Vec<&str> = problems.iter().map(String::as_str).collect();
    refused(ImageFolder::new(&folder.0), &folder.0, ErrorKind::Format, &problems);

    let empty = TempFolder::new("folder-empty");
    refused(ImageFolder::new(&empty.0), &empty.0, ErrorKind::Format, &["has no subfolders"]);
    let missing = empty.0.join("none");
    refused(ImageFolder::new(&missing), &missing, ErrorKind::Io, &["cannot be listed"]);
}
