//! AlphaZero's recipe in small (Silver and others, 2018): a network guesses good moves and who will win, a tree search
//! improves on its guesses, and the network learns from games that the search plays against itself. After about 1,000
//! games of tic-tac-toe it loses to no reply of any opponent: all replies are tried.
//!
//! ```text
//! cargo run --release --example self_play
//! cargo run --release --example self_play -- --connect-four --games 6000 --seeds 1
//! ```

#![expect(clippy::print_stdout, reason = "a program that tells what it learned")]

#[path = "self_play/contest.rs"]
mod contest;
#[path = "self_play/game.rs"]
mod game;
#[path = "self_play/player.rs"]
mod player;
#[path = "self_play/search.rs"]
mod search;

use clap::Parser;
use contest::{lost, points};
use game::{Board, Game};
use player::{Example, judge, learn, network};
use retrograd::prelude::*;
use search::{best, search};
use std::path::PathBuf;

/// Learns a game by playing it.
#[derive(Parser)]
pub(crate) struct Options {
    /// Connect Four instead, against a plain tree search of equal time.
    #[arg(long)]
    connect_four: bool,
    /// Games played against itself.
    #[arg(short, long, default_value_t = 1000)]
    games: usize,
    /// Runs from different initial weights.
    #[arg(short, long, default_value_t = 3)]
    seeds: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "target/self_play.svg")]
    out: PathBuf,
}

/// Plays games side by side, the first moves by chance.
fn self_play(net: &Sequential, game: Game, games: usize, rng: &mut Rng) -> Vec<Example> {
    let (mut playing, mut examples) = (vec![(Board::default(), Vec::new()); games], Vec::new());
    for ply in 0..game.rows * game.columns {
        let boards: Vec<_> = playing.iter().map(|(board, _)| *board).collect();
        let simulations = if game.drop { 80 } else { 50 };
        let visits = search(game, &boards, &mut judge(net, game), Some(rng), &|done| done < simulations);
        let draws = Tensor::rand([boards.len()], rng).iter::<f32>();
        for (((board, past), visits), mut left) in playing.iter_mut().zip(visits).zip(draws) {
            let drawn = visits.iter().position(|share| (left -= share, left < 0.0).1);
            let action = drawn.filter(|_| ply <= game.columns).unwrap_or(best(&visits));
            past.push((*board, visits));
            *board = game.play(*board, action);
        }
        for (board, past) in playing.extract_if(.., |(board, _)| game.moves(*board).is_empty()) {
            let won = if game.won(board) { 1.0 } else { 0.0 };
            let signs = [won, -won].into_iter().cycle();
            examples.extend(
                past.into_iter().rev().zip(signs).map(|((board, visits), value)| (board, visits, value)),
            );
        }
    }
    examples
}

/// After so many games against itself: their number, and how many the network loses by its own guesses and with the
/// search; or its points at Connect Four. And the network in the end.
fn career(options: &Options, game: Game, seed: u64) -> Result<(Vec<[f64; 3]>, Sequential), Error> {
    let rng = &mut Rng::new(seed);
    let (games, keep) = if game.drop { (100, 40_000) } else { (50, 8_000) };
    let mut net = network(game, rng);
    let mut adam = Adam::new(&net, 2e-3).weight_decay(1e-4);
    let rounds = options.games / games;
    let mut schedule = Scheduler::new(schedule::CosineAnnealingLr::new(rounds as u64), &mut adam);
    let (mut past, mut figures) = (Vec::new(), Vec::new());
    for played in (1..=rounds).map(|round| games * round) {
        past.extend(self_play(&net, game, games, rng));
        past.drain(..past.len().saturating_sub(keep));
        learn(&mut net, &mut adam, game, &past, rng)?;
        schedule.step(&mut adam);
        if !game.drop {
            figures.push([played as f64, lost(&net, game, 0), lost(&net, game, 50)]);
        } else if played % 500 == 0 {
            figures.push([played as f64, points(&net, game, rng), 0.0]);
            println!("seed {seed}, {played} games: {:.3} of the points", figures[figures.len() - 1][1]);
        }
    }
    Ok((figures, net))
}

/// The figures of each seed after every round.
pub(crate) fn run(options: &Options) -> Result<Vec<Vec<[f64; 3]>>, Error> {
    let tic_tac_toe = Game { rows: 3, columns: 3, line: 3, drop: false };
    let connect_four = Game { rows: 6, columns: 7, line: 4, drop: true };
    let game = if options.connect_four { connect_four } else { tic_tac_toe };
    let runs = par_map(0..options.seeds, |seed| career(options, game, seed));
    let (runs, nets): (Vec<_>, Vec<_>) = runs.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let spread = |of: usize, more: f64| {
        let over = |round: usize| {
            let x = runs.iter().map(|run: &Vec<[f64; 3]>| run[round][of] + more).collect::<Vec<_>>();
            let (games, x) = (runs[0][round][0], Tensor::from(x));
            (games, x.mean(()).item(), x.std((), usize::from(options.seeds > 1)).item())
        };
        (0..runs[0].len()).map(over).collect::<Vec<_>>()
    };
    let (chart, board) = if game.drop {
        let chart =
            Chart::new("Connect Four against plain search", "games against itself", "share of points");
        (chart.band("in equal time", spread(1, 0.0)), Board::default())
    } else {
        for (alone, searched) in spread(1, 0.0).iter().zip(spread(2, 0.0)) {
            println!(
                "{:>4} games: {:>5.1} lost by its guesses, {:>4.1} with search",
                alone.0, alone.1, searched.1
            );
        }
        let thorough = nets.iter().map(|net| lost(net, game, 200)).collect::<Vec<_>>();
        println!("lost in the end with 200 simulations a move: {thorough:?}");
        let chart = Chart::new("replies that beat it", "games against itself", "lost games + 1").log();
        (chart.band("network alone", spread(1, 1.0)).band("with search", spread(2, 1.0)), Board([0, 1]))
    };
    let visits = search(game, &[board], &mut judge(&nets[0], game), None, &|done| done < 200).concat();
    let visits = Tensor::from(visits).reshape([-1, game.columns as isize]);
    let title =
        if game.drop { "share of visits of the first move" } else { "share of visits after a corner" };
    save_svg(&options.out, &[chart, Chart::heat(title, "column", "row", &visits)])?;
    Ok(runs)
}

fn main() -> Result<(), Error> {
    run(&Options::parse()).map(drop)
}
