//! The more games against itself, the fewer replies beat the player; and with the search hardly any does. At Connect
//! Four the search proves what is forced.

use super::self_play::game::{Board, CONNECT_FOUR};
use super::self_play::search::Search;
use super::self_play::{Options, run};
use clap::Parser;

const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/self_play.svg");

#[test]
fn few_replies_beat_it() {
    let options = Options::parse_from(["", "--seeds", "2", "--games", "400", "--out", OUT]);
    for rounds in run(&options).expect("the picture can be written") {
        let ([_, early, _], [_, alone, searched]) = (rounds[0], rounds[7]);
        // Of seeds 0 to 4: 82 to 137 lost after 50 games, 0 to 6 after 400, and none with the search.
        assert!(alone < early / 4.0 && searched <= alone.min(1.0), "{rounds:?}");
    }
}

/// The number of ways to play so many moves.
fn ways(board: Board, moves: usize) -> usize {
    if moves == 0 { 1 } else { CONNECT_FOUR.moves(board).map(|(_, board)| ways(board, moves - 1)).sum() }
}

/// What the search without a network, moves by chance for a judge, makes of the position after moves in these columns.
fn searched(columns: &[usize]) -> (Vec<f32>, f32) {
    let board = columns.iter().fold(Board::default(), |board, &at| CONNECT_FOUR.play(board, at));
    let (search, mut seed) = (Search { game: CONNECT_FOUR, explore: 3.0, width: 8 }, 1);
    let judge = &mut |boards: &[Board]| CONNECT_FOUR.playouts(boards, &mut seed);
    search.run(&[board], judge, None, &|done| done < 5000).remove(0)
}

#[test]
fn what_is_forced_at_connect_four_is_proved() {
    // 7 to the power of 8, less what a full column forbids and what comes after a win.
    assert_eq!((ways(Board::default(), 6), ways(Board::default(), 8)), (7_usize.pow(6), 5_673_234));
    // Two stones side by side in the first row with room at both ends: a third one there wins two moves later.
    let (shares, value) = searched(&[2, 2, 3, 3]);
    assert!(value == 1.0 && (shares[1] + shares[4] - 1.0).abs() < 1e-6, "{shares:?} {value}");
    // The other one has just that, and must be stopped at once; all else is a loss.
    let (shares, _) = searched(&[2, 6, 3]);
    assert!((shares[1] + shares[4] - 1.0).abs() < 1e-6, "{shares:?}");
    // Three stones on each other.
    let (shares, _) = searched(&[0, 6, 0, 5, 0]);
    assert_eq!(shares, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    // Three side by side, free at both ends, cannot be stopped.
    assert_eq!(searched(&[2, 2, 3, 3, 4]).1, -1.0);
}
