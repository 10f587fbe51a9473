//! How good a player is: what it loses to, and what it wins against a search without a network.

use super::child::best;
use super::game::{Board, Game};
use super::player::judge;
use super::search::Search;
use retrograd::prelude::*;
use std::time::{Duration, Instant};

/// How many games the network loses if it meets every reply, as first and as second.
pub(crate) fn lost(net: &Sequential, game: Game, simulations: usize) -> f64 {
    let mut lost = 0;
    let search = Search { game, explore: 1.5, width: 1 };
    for first in [0, 1] {
        let mut boards = vec![Board::default()];
        for ply in first..10 {
            boards.retain(|&board| game.end(board).is_none());
            if ply % 2 == 0 {
                let found = search.run(&boards, &mut judge(net, game), None, &|done| done < simulations);
                boards = boards.iter().zip(found).map(|(&board, (v, _))| game.play(board, best(v))).collect();
            } else {
                boards = boards.iter().flat_map(|&board| game.moves(board)).map(|found| found.1).collect();
                lost += boards.iter().filter(|&&board| game.end(board) == Some(1.0)).count();
            }
        }
    }
    lost as f64
}

/// The points of the network against the same search with games at random for a judge, in games from all pairs of first
/// moves, by both sides, `rounds` times; each has `time` for a move, by the clock, on one thread.
pub(crate) fn points(net: &Sequential, game: Game, rounds: u64, time: Duration) -> Vec<f64> {
    // What suits each: of the constants 0.7 to 10, plain search is best with 2 to 3, and as good as by UCB1.
    let (ours, plain) = (Search { game, explore: 1.5, width: 8 }, Search { game, explore: 3.0, width: 1 });
    let openings = game.moves(Board::default()).flat_map(|(_, board)| game.moves(board));
    let games = openings.flat_map(|(_, board)| (0..2 * rounds).map(move |seed| (board, seed)));
    par_map(games.collect::<Vec<_>>(), |(mut board, mut seed)| {
        let mut our_turn = seed % 2 == 0;
        loop {
            let start = Instant::now();
            let more = |_| start.elapsed() < time;
            let found = if our_turn {
                ours.run(&[board], &mut judge(net, game), None, &more)
            } else {
                plain.run(&[board], &mut |boards| game.playouts(boards, &mut seed), None, &more)
            };
            board = found.into_iter().fold(board, |board, (visits, _)| game.play(board, best(visits)));
            if let Some(won) = game.end(board) {
                return 0.5 + 0.5 * f64::from(if our_turn { won } else { -won });
            }
            our_turn = !our_turn;
        }
    })
}
