//! What charts draw and refuse.

use super::{Chart, to_svg};
use retrograd_tensor::{Tensor, attempt};

const ODD: [&[(f64, f64)]; 6] = [
    &[],
    &[(1.0, 1.0)],
    &[(f64::NAN, 1.0), (1.0, f64::NAN)],
    &[(0.0, 0.0), (-1.0, -1.0)],
    &[(1.0, f64::INFINITY), (2.0, 3.0)],
    &[(1e-300, 1e300), (1e300, 1e-300)],
];

fn sound(chart: &Chart) -> String {
    let svg = chart.to_svg();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(svg.len() < 60_000, "{}", svg.len());
    svg
}

#[test]
fn any_series_makes_a_drawing_with_finite_places() {
    for points in ODD {
        let points = points.to_vec();
        let spread = points.iter().map(|(x, y)| (*x, *y, 2.0 * y));
        let chart = Chart::new("a < b", "x", "y")
            .line("line", points.clone())
            .dashed("line", points.clone())
            .dotted("dots", points.clone())
            .scatter("cloud", points.clone())
            .band("band", spread.clone())
            .dashed_band("band", spread)
            .marker(f64::NAN, "nowhere")
            .marker(1.0, "here");
        for chart in [chart.clone(), chart.clone().log(), chart.clone().log_x(), chart.log().log_x()] {
            assert!(sound(&chart).contains("a &lt; b"));
        }
        let bars = Chart::new("", "", "").bars("a", points.iter().map(|point| point.1)).bars("b", [1.0; 3]);
        sound(&bars);
        sound(&bars.clone().log());
        assert!(
            sound(&bars.categories(["one", "two", "a category whose name is long"])).contains("rotate(-30")
        );
    }
}

#[test]
fn any_table_makes_a_drawing_with_finite_places() {
    let tables = [
        Tensor::from([[f64::NAN, 1.0], [f64::INFINITY, 0.0]]),
        Tensor::from([[f64::MAX, f64::MIN]]),
        Tensor::from([[3.0f32]]),
        Tensor::zeros([0, 4]),
        Tensor::from([[f32::NAN]]),
        Tensor::from([[1i64, 2], [3, 4]]),
    ];
    for table in tables {
        let heat = Chart::heat("", "x", "y", &table).scatter("here", [(0.0, 0.0)]);
        sound(&heat);
        sound(&heat.log());
        let tiles = Chart::tiles("", &table.unsqueeze(0), 3);
        sound(&tiles);
        sound(&tiles.grey());
    }
}

#[test]
fn names_stand_beside_their_cells() {
    let rows = (0..3).map(|i| format!("net {i}"));
    let values = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let svg = sound(&Chart::heat("", "", "", &values).rows(rows).columns(["left", "right"]));
    for name in ["net 0", "net 1", "net 2", "left", "right"] {
        assert!(svg.contains(&format!(">{name}<")), "{name}");
    }
}

#[test]
fn three_panels_fill_a_row() {
    let panel = || Chart::new("", "", "").line("a", [(0.0, 0.0), (1.0, 1.0)]);
    assert!(to_svg(&[panel(), panel(), panel()]).contains(r#"viewBox="0 0 1380 320""#));
    assert!(to_svg(&[panel(), panel(), panel(), panel()]).contains(r#"viewBox="0 0 1380 640""#));
    assert!(to_svg(&[]).contains(r#"viewBox="0 0 460 320""#));
}

#[test]
fn a_legend_leaves_the_plot_where_it_would_hide_a_line() {
    let all_over = |phase: f64| (0..400).map(move |i| (f64::from(i), (f64::from(i) / 3.0 + phase).sin()));
    let crowded = Chart::new("", "", "").line("first", all_over(0.0)).line("second", all_over(1.0));
    let free = Chart::new("", "", "").line("first", [(0.0, 0.0), (1.0, 1.0)]);
    let right_end =
        |svg: &str| svg.split("x2=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    assert_eq!(right_end(&free.to_svg()).as_deref(), Some("446.0"));
    assert_ne!(right_end(&crowded.to_svg()).as_deref(), Some("446.0"));
}

#[test]
fn what_does_not_fit_a_panel_is_refused_by_name() {
    let images = || Chart::tiles("", &Tensor::zeros([2, 3, 3]), 2);
    type Make = Box<dyn Fn() -> Chart>;
    let cases: [(&str, Make); 8] = [
        ("line", Box::new(move || images().line("a", [(0.0, 0.0)]))),
        ("strokes", Box::new(move || images().strokes([(2, 0.0, 0.0, 1.0, 1.0)]))),
        ("tiles", Box::new(|| Chart::tiles("", &Tensor::zeros([2, 3, 3]), 0))),
        ("tiles", Box::new(|| Chart::tiles("", &Tensor::zeros([2, 3]), 1))),
        ("heat", Box::new(|| Chart::heat("", "", "", &Tensor::zeros([2])))),
        ("rows", Box::new(|| Chart::heat("", "", "", &Tensor::zeros([2, 2])).rows(["one"]))),
        ("columns", Box::new(|| Chart::new("", "", "").columns(["one"]))),
        ("grey", Box::new(|| Chart::new("", "", "").grey())),
    ];
    for (call, make) in cases {
        let error = attempt(make).expect_err(call);
        assert_eq!(error.op(), call, "{error}");
    }
}
