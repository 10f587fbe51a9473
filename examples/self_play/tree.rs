//! The tree of a search: positions and the moves from them.

use super::child::{Child, best, exact};
use super::game::{Board, Game};

/// From node to node, by the number of the move among its children.
type Path = Vec<(usize, usize)>;

pub(crate) struct Tree {
    root: Board,
    /// The moves from each position, those of the root first; none where it has not been judged.
    nodes: Vec<Vec<Child>>,
}

impl Tree {
    pub(crate) fn new(root: Board) -> Self {
        Self { root, nodes: vec![Vec::new()] }
    }

    pub(crate) fn moves(&mut self) -> &mut [Child] {
        &mut self.nodes[0]
    }

    pub(crate) fn solved(&self) -> bool {
        exact(&self.nodes[0]).is_some()
    }

    /// The way down to a position that has not been judged, or of which all is known. It counts as a loss until it is
    /// judged, so that the next way down is another one.
    pub(crate) fn descend(&mut self, explore: f32) -> Path {
        let (mut path, mut at) = (Vec::new(), 0);
        while !self.nodes[at].is_empty() {
            let (new, children) = (self.nodes.len(), &mut self.nodes[at]);
            let root = (1.0 + children.iter().map(|child| child.visits).sum::<f32>()).sqrt();
            let score = |child: &Child| match child.exact {
                Some(-1.0) => f32::MIN,
                _ => child.value() + explore * child.prior * root / (1.0 + child.visits),
            };
            let best = best(children.iter().map(score));
            let child = &mut children[best];
            (child.visits, child.sum) = (child.visits + 1.0, child.sum - 1.0);
            path.push((at, best));
            if child.exact.is_some() {
                break;
            }
            at = *child.node.get_or_insert(new);
            if at == new {
                self.nodes.push(Vec::new());
            }
        }
        path
    }

    pub(crate) fn end(&self, path: &Path) -> Board {
        path.last().map_or(self.root, |&(node, child)| self.nodes[node][child].board)
    }

    /// Adds what follows from the position at the end of the path, and tells all on it what that is worth.
    pub(crate) fn grow(&mut self, game: Game, path: &Path, answer: &[f32]) {
        let leaf = path.last().map_or(Some(0), |&(node, child)| self.nodes[node][child].node);
        if let Some(leaf) = leaf.filter(|&leaf| self.nodes[leaf].is_empty()) {
            let child = |(action, board)| Child::new(game, action, board, f32::exp(answer[action]));
            let mut children: Vec<_> = game.moves(self.end(path)).map(child).collect();
            let total: f32 = children.iter().map(|child| child.prior).sum();
            children.iter_mut().for_each(|child| child.prior /= total);
            self.nodes[leaf] = children;
        }
        let mut value = answer[game.actions()];
        for &(node, child) in path.iter().rev() {
            let found = self.nodes[node][child].node.and_then(|node| exact(&self.nodes[node]));
            let child = &mut self.nodes[node][child];
            child.exact = child.exact.or(found.map(|value| -value));
            value = child.exact.unwrap_or(-value);
            child.sum += 1.0 + value;
        }
    }

    /// The share of visits of each move, and the value of the root. If that is known, only moves that come to it count.
    pub(crate) fn found(&self, game: Game) -> (Vec<f32>, f32) {
        let (children, mut shares) = (&self.nodes[0], vec![0.0; game.actions()]);
        let known = exact(children);
        let good =
            |child: &Child| known.map_or(child.exact != Some(-1.0), |known| child.exact == Some(known));
        // The prior decides where nothing has been visited.
        let weight = |child: &Child| if good(child) { child.visits + 1e-3 * child.prior } else { 0.0 };
        let total: f32 = children.iter().map(weight).sum();
        children.iter().for_each(|child| shares[child.action] = weight(child) / total);
        let value = children.iter().map(|child| weight(child) / total * child.value()).sum();
        (shares, known.unwrap_or(value))
    }
}
