//! IDX files, and the sets made of them.

use crate::files::{TempFolder, bomb, gzipped, refused};
use retrograd_nn::data::{fashion_mnist, mnist, read_idx};
use retrograd_tensor::{DType, ErrorKind, F32, F64, I32, U8};

fn idx(kind: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

#[test]
fn all_elements_and_ranks_are_read() {
    let folder = TempFolder::new("idx");
    let values = [-2.0f64, 0.0, 1.5, 100.0];
    let all: [(u8, DType, Vec<u8>, [f64; 4]); 6] = [
        (0x08, U8, vec![0, 7, 128, 255], [0.0, 7.0, 128.0, 255.0]),
        (0x09, I32, vec![0x80, 0xff, 0, 0x7f], [-128.0, -1.0, 0.0, 127.0]),
        (0x0b, I32, vec![0x80, 0, 0xff, 0xff, 0, 1, 1, 0], [-32768.0, -1.0, 1.0, 256.0]),
        (
            0x0c,
            I32,
            [i32::MIN, -1, 1, i32::MAX].iter().flat_map(|v| v.to_be_bytes()).collect(),
            [-2147483648.0, -1.0, 1.0, 2147483647.0],
        ),
        (0x0d, F32, values.iter().flat_map(|&v| (v as f32).to_be_bytes()).collect(), values),
        (0x0e, F64, values.iter().flat_map(|v| v.to_be_bytes()).collect(), values),
    ];
    for (kind, dtype, data, wanted) in all {
        for sizes in [&[4][..], &[2, 2], &[1, 4, 1], &[2, 1, 1, 2]] {
            let content = idx(kind, sizes, &data);
            for path in [folder.file("a", &content), folder.file("a.gz", &gzipped(&content))] {
                let x = read_idx(&path).unwrap();
                assert_eq!((x.dtype(), x.cast(F64).to_vec::<f64>()), (dtype, wanted.to_vec()));
                assert!(x.shape().iter().zip(sizes).all(|(&size, &wanted)| size == wanted as usize));
            }
        }
    }
    assert_eq!(read_idx(folder.file("none", &idx(8, &[0, 28, 28], &[]))).unwrap().shape(), [0, 28, 28]);
}

#[test]
fn files_that_are_no_idx_are_refused() {
    let folder = TempFolder::new("no-idx");
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("empty", Vec::new(), "ends too early: at its header"),
        ("text", b"hello, world".to_vec(), "is no IDX file: it starts with [68, 65, 6c, 6c]"),
        ("kind", idx(0x0a, &[1], &[0]), "has unknown elements: type 0x0a"),
        ("rank0", vec![0, 0, 8, 0, 1], "has 0 axes; 1 to 4"),
        ("rank5", idx(8, &[1; 5], &[0]), "has 5 axes; 1 to 4"),
        ("sizes", vec![0, 0, 8, 3, 0, 0, 0, 1], "ends too early: at its header"),
        ("long", idx(8, &[2], &[1, 2, 3]), "its sizes [2] of 1 bytes each ask for 2 bytes, and more follow"),
        ("huge", idx(0x0e, &[u32::MAX; 4], &[1]), "of 8 bytes each cannot be counted"),
        ("zero", idx(8, &[0, u32::MAX], &[1]), "ask for 0 bytes, and more follow"),
    ];
    for (name, content, problem) in cases {
        let path = folder.file(name, &content);
        refused(read_idx(&path), &path, ErrorKind::Format, &[problem]);
        let path = folder.file(&format!("{name}.gz"), &gzipped(&content));
        refused(read_idx(&path), &path, ErrorKind::Format, &[problem]);
    }
    let short = idx(8, &[5], &[1, 2, 3]);
    let path = folder.file("short", &short);
    refused(read_idx(&path), &path, ErrorKind::Format, &["and 3 follow"]);
    let path = folder.file("short.gz", &gzipped(&short));
    refused(
        read_idx(&path),
        &path,
        ErrorKind::Format,
        &["its sizes [5] of 1 bytes each ask for 5 bytes, and 3 follow"],
    );
    let path = folder.0.join("missing");
    refused(read_idx(&path), &path, ErrorKind::Io, &["cannot be opened"]);
    refused(read_idx(&folder.0), &folder.0, ErrorKind::Io, &["is a folder"]);
}

#[test]
fn sizes_that_a_file_cannot_hold_are_refused_before_anything_is_allocated() {
    let folder = TempFolder::new("claims");
    let claim = idx(0x0e, &[1 << 20, 10, 10], &[0; 100]);
    for path in [folder.file("a", &claim), folder.file("a.gz", &gzipped(&claim))] {
        refused(read_idx(&path), &path, ErrorKind::Format, &["is too short", "[1048576, 10, 10] of 8 bytes"]);
    }
    // Two mebibytes behind a header that asks for a hundred bytes: no more than these are unpacked.
    let path = folder.file("bomb.gz", &bomb(&idx(8, &[100], &[]), 2));
    refused(read_idx(&path), &path, ErrorKind::Format, &["ask for 100 bytes, and more follow"]);
    let whole = gzipped(&idx(8, &[3000], &(0..3000).map(|i| (i * i % 251) as u8).collect::<Vec<_>>()));
    let path = folder.file("cut.gz", &whole[..whole.len() / 2]);
    refused(read_idx(&path), &path, ErrorKind::Format, &["ends too early: at byte "]);
}

#[test]
fn mnist_is_read_from_its_four_files_zipped_or_not() {
    let folder = TempFolder::new("mnist");
    let images = idx(8, &[2, 2, 2], &[0, 51, 102, 153, 204, 255, 0, 0]);
    let labels = idx(8, &[2], &[9, 0]);
    folder.file("train-images-idx3-ubyte", &images);
    folder.file("train-labels-idx1-ubyte.gz", &gzipped(&labels));
    folder.file("t10k-images-idx3-ubyte.gz", &gzipped(&images));
    refused(mnist(&folder.0), &folder.0, ErrorKind::Io, &["has neither `t10k-labels-idx1-ubyte` nor"]);
    let path = folder.file("t10k-labels-idx1-ubyte", &labels);
    let split = fashion_mnist(&folder.0).unwrap();
    for part in [split.train, split.test] {
        assert_eq!(part.x.shape(), [2, 1, 2, 2]);
        assert_eq!(part.x.to_vec::<f32>()[..6], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(part.y.to_vec::<i64>(), [9, 0]);
    }
    folder.file("t10k-labels-idx1-ubyte", &idx(8, &[3], &[1, 2, 3]));
    refused(mnist(&folder.0), &path, ErrorKind::Format, &["is u8 [3], not the labels of 2 images"]);
    folder.file("t10k-labels-idx1-ubyte", &idx(8, &[2], &[1, 10]));
    refused(
        mnist(&folder.0),
        &path,
        ErrorKind::Format,
        &["label out of range at place 1; labels lie in 0..10"],
    );
    let path = folder.file("train-images-idx3-ubyte", &labels);
    refused(mnist(&folder.0), &path, ErrorKind::Format, &["is u8 [2], not bytes of 3 axes"]);
}
