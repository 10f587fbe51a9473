//! The page of a run shows what was told and nothing else, whatever names and values are like; event files are those
//! that TensorBoard reads.

#![cfg(feature = "report")]

extern crate retrograd_nn as retrograd;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use retrograd_autograd::Differentiate;
use retrograd_nn::metrics::ConfusionMatrix;
use retrograd_nn::report::{EventWriter, Histogram, Report};
use retrograd_nn::{Conv2d, Linear, Losses, Module, Optimizer, Param, Sgd};
use retrograd_tensor::{Rng, Tensor, attempt};
use std::io::Write;
use std::sync::{Arc, Mutex};

const HEADS: [&str; 8] = [
    "Curves",
    "Learning rate",
    "Gradient norms",
    "Updates",
    "Weights",
    "Activations",
    "Filters",
    "Confusion",
];

/// The titles of the sections.
fn heads(page: &str) -> Vec<&str> {
    page.split("<h2>").skip(1).filter_map(|rest| rest.split("</h2>").next()).collect()
}

/// All attributes that place or size something, as `name="value"`.
fn attributes(page: &str) -> Vec<&str> {
    let drawings = page.split("<svg").skip(1).filter_map(|rest| rest.split("</svg>").next());
    drawings.flat_map(|drawing| drawing.split('<')).filter_map(|tag| tag.split('>').next()).collect()
}

#[derive(Module)]
struct Net {
    conv: Conv2d,
    fc: Linear,
}

impl Net {
    fn forward(&self, x: &Tensor, report: &mut Report, step: u64) -> Tensor {
        let h = self.conv.forward(x).relu();
        report.activation(step, "conv", &h);
        self.fc.forward(&h.flatten(1, -1))
    }
}

/// A report that was told everything.
fn full(title: &str, steps: u64) -> Report {
    let mut rng = Rng::new(0);
    let mut model = Net { conv: Conv2d::new(1, 2, 3, &mut rng), fc: Linear::new(8, 3, &mut rng) };
    let mut sgd = Sgd::new(&model, 0.1);
    let mut report = Report::new(title).fact("seed", "0");
    let (x, labels) = (Tensor::randn([5, 1, 4, 4], &mut rng), Tensor::from([0i64, 1, 2, 0, 1]));
    for step in 0..steps {
        let outputs = model.forward(&x, &mut report, step);
        let loss = outputs.cross_entropy(&labels);
        let grads = loss.backward();
        let before = model.state_dict();
        sgd.step(&mut model, &grads).expect("a step");
        report.scalar(step, "loss", loss.item());
        report.learning_rate(step, 0.1);
        report.gradients(step, &model, &grads);
        report.update(step, &before, &model);
        report.weights(step, &model);
        report.filters(step, "conv", model.conv.weight.value());
        report.confusion(&ConfusionMatrix::of(3, &outputs, &labels));
    }
    report
}

#[test]
fn a_page_has_the_parts_that_were_told() {
    assert_eq!(heads(&Report::new("empty").html()), [""; 0]);
    let page = full("all of it", 4).html();
    assert_eq!(heads(&page), HEADS);
    for name in ["conv.weight", "conv.bias", "fc.weight", "fc.bias"] {
        // In both heat maps and among the histograms.
        assert!(page.matches(&format!(">{name}<")).count() >= 3, "{name}");
    }
    let mut report = Report::new("one");
    report.scalar(0, "loss", 1.0);
    assert_eq!(heads(&report.html()), ["Curves"]);
}

#[test]
fn a_page_needs_nothing_from_outside() {
    let page = full("all of it", 4).html();
    for word in ["http:", "https:", "<script", "<link", "@import", "url(", "src=\"/"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 1);
}

#[test]
fn names_are_text_wherever_they_stand() {
    let name = "<script>\"a\" & 'b'</script>{sections}";
    let mut report = Report::new(name).fact(name, name).classes([name, name]);
    report.scalar(0, name, 1.0);
    report.activation(0, name, &Tensor::ones([2, 2]));
    report.filters(0, name, &Tensor::ones([2, 3, 3]));
    report.confusion(&ConfusionMatrix::of(2, &Tensor::from([0i64, 1]), &Tensor::from([1i64, 1])));
    let page = report.html();
    assert!(!page.contains("<script") && !page.contains("\"a\" &") && !page.contains("'b'"));
    assert!(page.matches("&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;").count() >= 12);
    // A name that looks like a place of the page is not filled in.
    assert_eq!(page.matches("<h2>Curves</h2>").count(), 1);
}

#[test]
fn what_is_not_finite_is_marked_and_not_drawn() {
    let mut report = Report::new("bad values");
    for (step, value) in [1.0, f64::NAN, f64::INFINITY, -f64::MAX, f64::MAX].into_iter().enumerate() {
        report.scalar(step as u64, "loss", value);
        report.learning_rate(step as u64, value);
        report.activation(step as u64, "h", &Tensor::from([[value, 0.0]]));
        report.filters(step as u64, "h", &Tensor::from([[[value, 0.0]]]));
    }
    let mut model = Linear::new(2, 1, &mut Rng::new(0));
    let grads = (model.forward(&Tensor::ones([1, 2])) * f64::INFINITY).sum(()).backward();
    report.gradients(0, &model, &grads);
    let before = model.state_dict();
    model.weight = Param::new(Tensor::from([[f32::NAN, f32::INFINITY]]));
    report.update(0, &before, &model);
    report.weights(0, &model);
    let page = report.html();
    for tag in attributes(&page) {
        assert!(!tag.contains("NaN") && !tag.contains("inf"), "{tag}");
    }
    for text in [
        "step 1: not finite",
        "step 2: not finite",
        "<title>step 0: not finite",
        "no finite element, 2 not finite",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn norms_are_of_f64() {
    // 1e-30 squared is no number of `f32`; 3e-30 and 4e-30 have the norm 5e-30.
    let weight = Param::new(Tensor::from([1.0f32, 1.0]));
    let grads = (&weight * &Tensor::from([3e-30f32, 4e-30])).sum(()).backward();
    let mut report = Report::new("small");
    report.gradients(0, &weight, &grads);
    assert!(report.html().contains("step 0: 5.00e-30"), "{}", report.html());

    let (old, new) =
        (Param::new(Tensor::from([3e-25f32, 4e-25])), Param::new(Tensor::from([3e-25f32, 4.5e-25])));
    let mut report = Report::new("small");
    report.update(0, &old.state_dict(), &new);
    assert!(report.html().contains("step 0: 0.1<"), "{}", report.html());
}

#[test]
fn a_gradient_that_is_missing_and_a_parameter_of_zeros_leave_gaps() {
    let model = Linear::new(2, 1, &mut Rng::new(0));
    let grads = (model.weight.value() * 1.0).sum(()).backward();
    let mut report = Report::new("gaps");
    report.gradients(0, &model, &grads);
    let zeros = Param::new(Tensor::zeros([3]));
    report.update(0, &zeros.state_dict(), &Param::new(Tensor::ones([3])));
    let page = report.html();
    // Only the weight has a gradient, and nothing a ratio.
    assert_eq!(page.matches("<title>step 0: ").count(), 1, "{page}");
    assert_eq!(heads(&page), ["Gradient norms", "Updates"]);
}

#[test]
fn another_model_is_refused() {
    let (one, other) = (Linear::new(2, 1, &mut Rng::new(0)), Linear::new(3, 1, &mut Rng::new(0)));
    let mut report = Report::new("refused");
    let error = attempt(|| report.update(0, &one.state_dict(), &other)).expect_err("other shapes");
    assert_eq!(
        error.to_string(),
        "update: `weight`: shape [1, 2] before, shape [1, 3] now; `before` is the state dict of the same model"
    );
    let error = attempt(|| report.filters(0, "fc", one.weight.value())).expect_err("no filters");
    assert!(error.to_string().starts_with("filters: no filters: a weight of shape [1, 2]; "), "{error}");
}

#[test]
fn units_are_dead_after_five_silent_batches() {
    let mut report = Report::new("dead");
    let silent = Tensor::from([[[0.0f32, 0.0], [1.0, 0.0]], [[0.0, -0.0], [0.0, 0.0]]]);
    report.activation(0, "h", &silent);
    assert_eq!(report.dead_units("h"), [0]);
    report.activation(1, "h", &Tensor::from([[1.0f32, f32::NAN]]));
    assert_eq!(report.dead_units("h"), [0usize; 0]);
    for step in 2..7 {
        assert_eq!(report.dead_units("h"), [0usize; 0], "at step {step}");
        report.activation(step, "h", &silent);
    }
    assert_eq!(report.dead_units("h"), [0]);
    assert!(report.html().contains("1 of 2: 0<"));
    // Units along the last axis.
    report.activation_along(0, "last", &Tensor::from([[[0.0f32, 1.0, 0.0], [0.0, 0.0, 0.0]]]), -1);
    assert_eq!(report.dead_units("last"), [0, 2]);
    report.activation(0, "none", &Tensor::zeros([0, 3]));
    assert_eq!(report.dead_units("none"), [0usize; 0]);
}

#[test]
fn a_long_run_has_a_small_page() {
    let mut report = Report::new("long");
    for step in 0..50_000u64 {
        report.scalar(step, "loss", 1.0 / (step + 1) as f64);
    }
    let page = report.html();
    assert!(page.len() < 60_000, "{}", page.len());
    assert!(page.contains("to 49999: "));
}

#[test]
fn pages_are_replaced_in_one_step() {
    let folder = std::env::temp_dir().join(format!("retrograd-report-{}", std::process::id()));
    let path = folder.join("below/report.html");
    full("first", 1).save(&path).expect("saved");
    full("second", 1).save(&path).expect("saved again");
    let page = std::fs::read_to_string(&path).expect("read");
    assert!(page.contains("<title>second</title>") && page.ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(folder.join("below")).expect("a folder").count(), 1);
    let error = full("third", 1).save(path.join("x.html")).expect_err("a file is no folder");
    assert!(error.to_string().contains("cannot be written"), "{error}");
    std::fs::remove_dir_all(folder).expect("removed");
}

/// Bytes that outlive their writer.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `tests/fixtures/events.py` has read with TensorBoard.
fn write_fixture(events: &mut EventWriter) -> Result<(), retrograd_tensor::Error> {
    for (step, loss) in [(0, 2.5), (1, -0.125), (300, f64::NAN), (u64::from(u32::MAX) + 1, 1e-30)] {
        events.scalar(step, "loss/train", loss)?;
    }
    let x = Tensor::from([-1.0f32, 0.25, 0.5, 0.5, 3.0, f32::INFINITY]);
    events.histogram(7, "weights/fc1.weight", &Histogram::of(&x, 4))?;
    events.histogram(8, "weights/fc1.weight", &Histogram::of(&Tensor::zeros([3]), 4))?;
    events.image(9, "gradient é", &Tensor::from([[0.0f32, 0.25, 0.5], [0.75, 1.0, 0.0]]))?;
    events.image(10, "colours", &Tensor::from([[[255u8, 0]], [[0, 255]], [[7, 7]]]))?;
    events.flush()
}

#[test]
fn event_files_are_those_that_tensorboard_has_read() {
    let bytes = Shared::default();
    write_fixture(&mut EventWriter::to(bytes.clone()).clock(|| 1_700_000_000.25)).expect("written");
    let bytes = bytes.0.lock().expect("no panic").clone();
    let known = include_bytes!("fixtures/events.tfevents");
    assert!(bytes == known, "{} bytes, {} known", bytes.len(), known.len());
}

#[test]
fn tensorboard_has_read_what_was_written() {
    let read: serde_json::Value = serde_json::from_str(include_str!("fixtures/events.json")).expect("JSON");
    let scalars = read["scalars"]["loss/train"].as_array().expect("scalars");
    let steps = scalars.iter().map(|scalar| scalar[1].as_u64().expect("a step")).collect::<Vec<_>>();
    assert_eq!(steps, [0, 1, 300, u64::from(u32::MAX) + 1]);
    assert!(scalars.iter().all(|scalar| scalar[0] == 1_700_000_000.25));
    let values =
        [&scalars[0][2], &scalars[1][2], &scalars[3][2]].map(|value| value.as_f64().expect("a number"));
    assert_eq!(values, [2.5, -0.125, f64::from(1e-30f32)]);
    assert_eq!(scalars[2][2], "NaN");

    let histogram = &read["histograms"]["weights/fc1.weight"][0];
    assert_eq!(histogram["bucket"], serde_json::json!([1.0, 3.0, 0.0, 1.0]));
    assert_eq!(histogram["bucket_limit"], serde_json::json!([0.0, 1.0, 2.0, 3.0]));
    assert_eq!([&histogram["num"], &histogram["sum"], &histogram["sum_squares"]], [5.0, 3.25, 10.5625]);

    assert_eq!(
        pixels(&read["images"]["gradient é"][0]),
        [0, 64, 128, 191, 255, 0].map(|v| [v, v, v, 255]).concat()
    );
    assert_eq!(pixels(&read["images"]["colours"][0]), [255, 0, 7, 255, 0, 255, 7, 255]);
}

fn pixels(image: &serde_json::Value) -> Vec<u8> {
    let png = STANDARD.decode(image["png"].as_str().expect("text")).expect("base 64");
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("pixels");
    pixels
}
