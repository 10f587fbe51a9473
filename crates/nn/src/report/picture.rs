//! Tensors as small pictures: filters side by side, images, tables of numbers as colours; as PNG.

use crate::chart::{diverging, range};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use retrograd_tensor::{Error, ErrorKind, F64, Tensor, U8, no_grad, raise};

/// The most filters that a picture shows, and the most channels of each.
const FILTERS: usize = 64;
const CHANNELS: usize = 16;

/// Pixels of four bytes each, red, green, blue and opacity, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A transparent one.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; 4 * width * height] }
    }

    pub(super) fn set(&mut self, x: usize, y: usize, [r, g, b]: [u8; 3]) {
        let at = 4 * (y * self.width + x);
        self.pixels[at..at + 4].copy_from_slice(&[r, g, b, 255]);
    }

    /// The picture as a PNG file.
    pub(super) fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&self.pixels))
            .expect("a picture with pixels can be written to memory");
        bytes
    }

    /// The picture as an address of its own, for the page.
    pub(super) fn address(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(self.png()))
    }
}

/// The filters of a weight, and what to say of them.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    pub(super) picture: Picture,
    /// Filters and channels shown, and those that there are.
    pub(super) shown: [usize; 2],
    pub(super) all: [usize; 2],
    /// The greatest magnitude: what is deepest blue or red, or 0 for coloured filters.
    pub(super) scale: f64,
    pub(super) step: u64,
}

impl Filters {
    /// Those of `weight`, `[filters, channels, height, width]` or `[filters, height, width]`: a row for each filter with
    /// a tile for each channel, or tiles in rows if there is one channel or they are three, which are colours.
    #[track_caller]
    pub(super) fn of(step: u64, weight: &Tensor) -> Self {
        let (filters, channels, height, width) = match weight.shape()[..] {
            [f, h, w] if f * h * w > 0 => (f, 1, h, w),
            [f, c, h, w] if f * c * h * w > 0 => (f, c, h, w),
            _ => {
                let detail = format!(
                    "no filters: a weight of shape {}; they are [filters, channels, height, width] or [filters, height, \
                     width] with at least one element",
                    weight.shape()
                );
                raise(Error::new("filters", ErrorKind::Shape, detail))
            }
        };
        let values = no_grad(|| weight.cast(F64).to_vec::<f64>());
        let finite =
            |values: &[f64]| values.iter().filter(|v| v.is_finite()).fold(0f64, |m, v| m.max(v.abs()));
        let scale = finite(&values);
        let colour = channels == 3;
        let shown = [filters.min(FILTERS), if colour { 3 } else { channels.min(CHANNELS) }];
        let tiles = shown[0] * if colour { 1 } else { shown[1] };
        let columns = if colour || channels == 1 { tiles.min(16) } else { shown[1] };
        let mut picture = Picture::new(columns * (width + 1) - 1, tiles.div_ceil(columns) * (height + 1) - 1);
        for tile in 0..tiles {
            let (left, top) = (tile % columns * (width + 1), tile / columns * (height + 1));
            let (filter, channel) = if colour { (tile, 0) } else { (tile / shown[1], tile % shown[1]) };
            let one = &values[filter * channels * height * width..][..channels * height * width];
            // Colours show the shape of each filter, from its least to its greatest element.
            let (low, high) = range(one.iter().copied());
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let at = |channel: usize| one[(channel * height + y) * width + x];
                let pixel = if colour {
                    [0, 1, 2].map(|channel| byte((at(channel) - low) / (high - low)))
                } else {
                    diverging(at(channel) / scale.max(f64::MIN_POSITIVE))
                };
                picture.set(left + x, top + y, pixel);
            }
        }
        let scale = if colour { 0.0 } else { scale };
        Self { picture, shown, all: [filters, channels], scale, step }
    }
}

/// An image, `[height, width]`, `[1, height, width]` or `[3, height, width]`, of bytes or of numbers from 0 to 1.
#[track_caller]
pub(super) fn image(x: &Tensor) -> Picture {
    let (channels, height, width) = match x.shape()[..] {
        [h, w] if h * w > 0 => (1, h, w),
        [c @ (1 | 3), h, w] if h * w > 0 => (c, h, w),
        _ => {
            let detail = format!(
                "no image: shape {}; an image is [height, width], [1, height, width] or [3, height, width] with at \
                 least one element",
                x.shape()
            );
            raise(Error::new("image", ErrorKind::Shape, detail))
        }
    };
    let most = if x.dtype() == U8 { 255.0 } else { 1.0 };
    let values = no_grad(|| x.cast(F64).to_vec::<f64>());
    let mut picture = Picture::new(width, height);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let at = |channel: usize| byte(values[(channel % channels * height + y) * width + x] / most);
        picture.set(x, y, [at(0), at(1), at(2)]);
    }
    picture
}

/// 0 to 255 for 0 to 1; what is no number is 0.
fn byte(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::{Filters, Picture, diverging, image};
    use retrograd_tensor::Tensor;

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 4] {
        let at = 4 * (y * picture.width + x);
        picture.pixels[at..at + 4].try_into().expect("four bytes")
    }

    #[test]
    fn filters_lie_in_rows_with_gaps() {
        let weight = Tensor::from([[[[1.0f32, -2.0]], [[0.0, 2.0]]]]);
        let filters = Filters::of(0, &weight);
        assert_eq!((filters.picture.width, filters.picture.height, filters.scale), (5, 1, 2.0));
        let [r, g, b] = diverging(-1.0);
        assert_eq!(pixel(&filters.picture, 1, 0), [r, g, b, 255]);
        assert_eq!(pixel(&filters.picture, 2, 0), [0; 4]);
        assert_eq!(pixel(&filters.picture, 4, 0)[..3], diverging(1.0));
    }

    #[test]
    fn pictures_are_png_files() {
        let picture = image(&Tensor::from([[0u8, 255], [128, 7]]));
        let mut reader =
            png::Decoder::new(std::io::Cursor::new(picture.png())).read_info().expect("a header");
        let mut bytes = vec![0; 16];
        reader.next_frame(&mut bytes).expect("pixels");
        assert_eq!(bytes[..8], [0, 0, 0, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn what_is_no_number_looks_like_none() {
        let filters = Filters::of(0, &Tensor::from([[[0.0f32, f32::NAN]]]));
        assert_eq!(pixel(&filters.picture, 0, 0)[..3], diverging(0.0));
        assert_eq!(pixel(&filters.picture, 1, 0)[..3], [240, 228, 66]);
    }
}
