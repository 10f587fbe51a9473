//! AlphaZero's recipe in small (Silver and others, 2018): a network guesses good moves and who will win, a tree search
//! improves on its guesses, and the network learns from games that the search plays against itself. After about 1,000
//! games of tic-tac-toe it loses to no reply of any opponent: all replies are tried. At Connect Four it beats a plain
//! tree search that has the same time for a move.
//!
//! ```text
//! cargo run --release --example self_play
//! cargo run --release --example self_play -- --connect-four --seeds 1
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

#[path = "self_play/child.rs"]
mod child;
#[path = "self_play/contest.rs"]
mod contest;
#[path = "self_play/game.rs"]
pub(crate) mod game;
#[path = "self_play/games.rs"]
mod games;
#[path = "self_play/player.rs"]
mod player;
#[path = "self_play/search.rs"]
pub(crate) mod search;
#[path = "self_play/tree.rs"]
mod tree;

use clap::Parser;
use contest::{lost, points};
use game::{Board, CONNECT_FOUR, Game, TIC_TAC_TOE};
use games::self_play;
use player::{judge, learn, network};
use retrograd::prelude::*;
use search::Search;
use std::path::PathBuf;
use std::time::Duration;

/// Learns a game by playing it.
#[derive(Parser)]
pub(crate) struct Options {
    /// Connect Four instead, against a plain tree search of equal time.
    #[arg(long)]
    connect_four: bool,
    /// Games played against itself; 1,000, or 40,000 of Connect Four.
    #[arg(short, long)]
    games: Option<usize>,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// The time for a move of Connect Four against plain search, in milliseconds.
    #[arg(short, long, default_value_t = 10)]
    time: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/self_play.svg")]
    out: PathBuf,
}

/// After so many games against itself: their number, and how many the network loses by its own guesses and with the
/// search; or its points at Connect Four. And the network in the end.
fn career(options: &Options, game: Game, seed: u64) -> Result<(Vec<[f64; 3]>, Sequential), Error> {
    let rng = &mut Rng::new(seed);
    let (games, keep, learning, all) =
        if game.drop { (400, 100_000, [500, 256], 40_000) } else { (50, 8_000, [200, 64], 1000) };
    let mut net = network(game, rng);
    let mut adam = Adam::new(&net, 2e-3).weight_decay(1e-4);
    let rounds = (options.games.unwrap_or(all) / games).max(1);
    let mut schedule = Scheduler::new(schedule::CosineAnnealingLr::new(rounds as u64), &mut adam);
    let (mut past, mut figures) = (Vec::new(), Vec::new());
    for (round, played) in (1..=rounds).map(|round| (round, (games * round) as f64)) {
        let halves = [rng.split(), rng.split()];
        past.extend(par_map(halves, |mut rng| self_play(&net, game, games / 2, &mut rng)).concat());
        past.drain(..past.len().saturating_sub(keep));
        learn(&mut net, &mut adam, game, &past, learning, rng)?;
        schedule.step(&mut adam);
        if !game.drop {
            figures.push([played, lost(&net, game, 0), lost(&net, game, 50)]);
        } else if round % 10 == 1 || round == rounds {
            let rounds = if round == rounds { 4 } else { 1 };
            let points = Tensor::from(points(&net, game, rounds, Duration::from_millis(options.time)));
            figures.push([played, points.mean(()).item(), 0.0]);
            println!(
                "seed {seed}, {played} games: {:.3} of the points in {} games",
                figures[figures.len() - 1][1],
                points.size(0)
            );
        }
    }
    Ok((figures, net))
}

/// The figures of each seed after every round.
pub(crate) fn run(options: &Options) -> Result<Vec<Vec<[f64; 3]>>, Error> {
    let game = if options.connect_four { CONNECT_FOUR } else { TIC_TAC_TOE };
    let runs: Vec<_> = if game.drop {
        (0..options.seeds).map(|seed| career(options, game, seed)).collect()
    } else {
        par_map(0..options.seeds, |seed| career(options, game, seed))
    };
    let (runs, nets): (Vec<_>, Vec<_>) = runs.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let spread = |of: usize| {
        let over = |round: usize| {
            let x = Tensor::from(runs.iter().map(|run: &Vec<[f64; 3]>| run[round][of]).collect::<Vec<_>>());
            (runs[0][round][0], x.mean(()).item(), x.std((), usize::from(options.seeds > 1)).item())
        };
        (0..runs[0].len()).map(over).collect::<Vec<_>>()
    };
    let mean = |of| spread(of).into_iter().map(|(games, mean, _)| (games, mean));
    let (chart, board) = if game.drop {
        let chart =
            Chart::new("against plain search of equal time", "games against itself", "share of points");
        let half = mean(1).map(|(games, _)| (games, 0.5));
        (chart.line("network with search", mean(1)).dashed("as good", half), Board::default())
    } else {
        for ((games, alone, sd), (_, searched, search_sd)) in spread(1).into_iter().zip(spread(2)) {
            let with_search = format!("{searched:>4.1} ± {search_sd:.1} with search");
            println!("{games:>4} games: {alone:>5.1} ± {sd:.1} lost by its guesses, {with_search}");
        }
        let thorough = nets.iter().map(|net| lost(net, game, 200)).collect::<Vec<_>>();
        println!("lost in the end with 200 simulations a move: {thorough:?}");
        let shown = |of| mean(of).map(|(games, lost)| (games, lost + 1.0));
        let chart = Chart::new("replies that beat it", "games against itself", "lost games + 1").log();
        (chart.line("network alone", shown(1)).line("with search", shown(2)), Board([0, 1]))
    };
    let search = Search { game, explore: 1.5, width: 1 };
    let visits = search.run(&[board], &mut judge(&nets[0], game), None, &|done| done < 200).remove(0).0;
    let visits = Tensor::from(visits).reshape([-1, game.columns as isize]);
    let title =
        if game.drop { "share of visits of the first move" } else { "share of visits after a corner" };
    save_svg(&options.out, &[chart, Chart::heat(title, "column", "row", &visits)])?;
    Ok(runs)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
