//! Lineage: what was derived from which handle.
//!
//! Every slot of every handle table is a node; so is everything that works by the authority of a handle after the system
//! call that made it: mappings, interrupt bindings, watches, and what a thread is bound to. Nodes form trees: a copy is the child of what
//! it was copied from, a mapping that of the handle it was mapped through. Revoking a handle removes all below it, leaves
//! first, each in a bounded number of steps.
//!
//! The nodes lie in one array, a fixed run for each kind, so a node is named by its position and needs no allocation, no
//! quota and no object of its own: who can hold the handle can hold its place in the lineage.
//!
//! Invariants: the links agree with each other; what is not in use has no links; a child's rights are among its parent's,
//! its deadline is not later, and it is not deeper than [`DEPTH_MAX`].

use core::num::NonZeroU32;

use nonos_abi::Error;

use crate::arena::{Empty, Id, InterruptId, ProcessId, ThreadId, TimerId, WatchId};

/// Most ancestors of a node.
pub const DEPTH_MAX: usize = 32;

/// Deadline of what does not expire.
pub(crate) const NEVER: u64 = u64::MAX;

/// A place in the lineage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct NodeId(NonZeroU32);

impl NodeId {
    /// Set in all numbers, so that none is zero.
    const MARK: NonZeroU32 = NonZeroU32::new(1 << 31).unwrap();

    /// The node at a position. There are fewer than 2^31.
    #[inline(always)]
    pub(crate) fn at(position: u32) -> Self {
        Self(Self::MARK | position)
    }

    pub(crate) fn position(self) -> usize {
        (self.0.get() & !Self::MARK.get()) as usize
    }
}

/// Links of a node. All zero for one that is not in use, or has no parent and no children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    pub(crate) parent: Option<NodeId>,
    pub(crate) first_child: Option<NodeId>,
    pub(crate) next: Option<NodeId>,
    pub(crate) previous: Option<NodeId>,
}

impl Empty for Node {
    const EMPTY: Self = Self {
        parent: None,
        first_child: None,
        next: None,
        previous: None,
    };
}

/// Which of the two handles that a binding was made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// That of what causes signals; for a window, that of the device.
    Source,
    /// That of the notification; for a window, that of the memory.
    Notification,
}

impl Side {
    const COUNT: usize = 2;

    fn at(position: usize) -> Self {
        if position.is_multiple_of(2) {
            Self::Source
        } else {
            Self::Notification
        }
    }
}

/// What a node stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Derived {
    /// A slot of a handle table.
    Slot(ProcessId, u16),
    /// A mapping: the region with this number of a process.
    Region(ProcessId, u8),
    /// An interrupt's binding to a notification.
    Interrupt(InterruptId, Side),
    /// A request to be told when a process ends.
    Watch(WatchId, Side),
    /// What a timer is set to.
    Timer(TimerId, Side),
    /// The notification that is bound to a thread.
    Bound(ThreadId),
    /// Memory that a device reaches: the window with this number.
    Window(u16, Side),
}

/// How many nodes there are of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub processes: usize,
    pub handles_per_process: usize,
    pub regions_per_process: usize,
    pub interrupts: usize,
    pub watches: usize,
    pub timers: usize,
    pub threads: usize,
    pub windows: usize,
}

impl Shape {
    /// Number of all nodes.
    pub const fn nodes(&self) -> usize {
        self.first_window() + self.windows * Side::COUNT
    }

    const fn first_region(&self) -> usize {
        self.processes * self.handles_per_process
    }

    const fn first_interrupt(&self) -> usize {
        self.first_region() + self.processes * self.regions_per_process
    }

    const fn first_watch(&self) -> usize {
        self.first_interrupt() + self.interrupts * Side::COUNT
    }

    const fn first_timer(&self) -> usize {
        self.first_watch() + self.watches * Side::COUNT
    }

    const fn first_bound(&self) -> usize {
        self.first_timer() + self.timers * Side::COUNT
    }

    const fn first_window(&self) -> usize {
        self.first_bound() + self.threads
    }
}

/// All nodes.
pub(crate) struct Lineage {
    nodes: &'static mut [Node],
    shape: Shape,
}

impl Lineage {
    /// A lineage in which nothing is derived from anything. There are as many nodes as the shape has.
    pub fn new(nodes: &'static mut [Node], shape: Shape) -> Self {
        Self { nodes, shape }
    }

    /// The node of a slot: the nodes of all slots come first, in the order of the slots.
    #[inline(always)]
    pub fn slot(&self, process: ProcessId, index: u16) -> NodeId {
        node(process.position() * self.shape.handles_per_process + usize::from(index))
    }

    /// The node of a region.
    #[inline(always)]
    pub fn region(&self, process: ProcessId, number: u8) -> NodeId {
        let first = process.position() * self.shape.regions_per_process;
        node(self.shape.first_region() + first + usize::from(number))
    }

    /// The node of anything.
    pub fn node(&self, derived: Derived) -> NodeId {
        let shape = &self.shape;
        node(match derived {
            Derived::Slot(process, index) => return self.slot(process, index),
            Derived::Region(process, number) => return self.region(process, number),
            Derived::Interrupt(id, side) => {
                shape.first_interrupt() + id.position() * Side::COUNT + side as usize
            }
            Derived::Watch(id, side) => {
                shape.first_watch() + id.position() * Side::COUNT + side as usize
            }
            Derived::Timer(id, side) => {
                shape.first_timer() + id.position() * Side::COUNT + side as usize
            }
            Derived::Bound(id) => shape.first_bound() + id.position(),
            Derived::Window(number, side) => {
                shape.first_window() + usize::from(number) * Side::COUNT + side as usize
            }
        })
    }

    /// What a node stands for.
    pub fn derived(&self, node: NodeId) -> Option<Derived> {
        let shape = &self.shape;
        let position = node.position();
        if position < shape.first_region() {
            let process = ProcessId::at(position / shape.handles_per_process)?;
            let index = position % shape.handles_per_process;
            return Some(Derived::Slot(process, index as u16));
        }
        if let Some(position) = position.checked_sub(shape.first_window()) {
            let number = (position / Side::COUNT) as u16;
            return Some(Derived::Window(number, Side::at(position)));
        }
        if let Some(position) = position.checked_sub(shape.first_bound()) {
            return Some(Derived::Bound(ThreadId::at(position)?));
        }
        if let Some(position) = position.checked_sub(shape.first_timer()) {
            let id = TimerId::at(position / Side::COUNT)?;
            return Some(Derived::Timer(id, Side::at(position)));
        }
        if let Some(position) = position.checked_sub(shape.first_watch()) {
            let id = WatchId::at(position / Side::COUNT)?;
            return Some(Derived::Watch(id, Side::at(position)));
        }
        if let Some(position) = position.checked_sub(shape.first_interrupt()) {
            let id = InterruptId::at(position / Side::COUNT)?;
            return Some(Derived::Interrupt(id, Side::at(position)));
        }
        let position = position - shape.first_region();
        let process = ProcessId::at(position / shape.regions_per_process)?;
        let number = position % shape.regions_per_process;
        Some(Derived::Region(process, number as u8))
    }

    /// What a node was derived from.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.links(id).parent
    }

    /// Whether the node at a position has neither a parent nor children.
    #[inline(always)]
    pub fn is_alone(&self, position: usize) -> bool {
        let links = &self.nodes[position];
        links.parent.is_none() && links.first_child.is_none()
    }

    /// The children of a node.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        core::iter::successors(self.links(id).first_child, |&child| self.links(child).next)
    }

    /// Checks that a node may have children.
    ///
    /// # Errors
    /// When it has too many ancestors.
    pub fn check_depth(&self, id: NodeId) -> Result<(), Error> {
        let ancestors = core::iter::successors(Some(id), |&id| self.parent(id));
        if ancestors.take(DEPTH_MAX).count() < DEPTH_MAX {
            Ok(())
        } else {
            Err(Error::TooDeep)
        }
    }

    /// Makes a node without links a child.
    pub fn link(&mut self, child: NodeId, parent: NodeId) {
        let next = self.links_mut(parent).first_child.replace(child);
        *self.links_mut(child) = Node {
            parent: Some(parent),
            next,
            ..Node::EMPTY
        };
        if let Some(next) = next {
            self.links_mut(next).previous = Some(child);
        }
    }

    /// Takes a node out. Its children become children of its parent; without one, they become roots.
    pub fn unlink(&mut self, id: NodeId) {
        let Node {
            parent,
            first_child,
            next,
            previous,
        } = core::mem::replace(self.links_mut(id), Node::EMPTY);
        let Some(parent) = parent else {
            return self.make_roots(first_child);
        };
        // The children take the node's place among its siblings.
        let mut last = None;
        let mut child = first_child;
        while let Some(current) = child {
            let links = self.links_mut(current);
            links.parent = Some(parent);
            child = links.next;
            last = Some(current);
        }
        let (first, last) = (first_child.or(next), last.or(previous));
        match previous {
            Some(previous) => self.links_mut(previous).next = first,
            None => self.links_mut(parent).first_child = first,
        }
        if let Some(first_child) = first_child {
            self.links_mut(first_child).previous = previous;
        }
        if let Some(next) = next {
            self.links_mut(next).previous = last;
            if let Some(last) = last {
                self.links_mut(last).next = Some(next);
            }
        }
    }

    fn make_roots(&mut self, mut child: Option<NodeId>) {
        while let Some(current) = child {
            let links = self.links_mut(current);
            links.parent = None;
            links.previous = None;
            child = links.next.take();
        }
    }

    /// Puts `to`, which has no links, in the place of `from`, which has none afterwards.
    pub fn replace(&mut self, from: NodeId, to: NodeId) {
        let links = core::mem::replace(self.links_mut(from), Node::EMPTY);
        *self.links_mut(to) = links;
        match (links.previous, links.parent) {
            (Some(previous), _) => self.links_mut(previous).next = Some(to),
            (None, Some(parent)) => self.links_mut(parent).first_child = Some(to),
            (None, None) => {}
        }
        if let Some(next) = links.next {
            self.links_mut(next).previous = Some(to);
        }
        let mut child = links.first_child;
        while let Some(current) = child {
            let links = self.links_mut(current);
            links.parent = Some(to);
            child = links.next;
        }
    }

    /// Takes out a node without children at or below `node`, which is `root` or below it; returns it and its parent. `None` when only
    /// `root` is left.
    pub fn take_leaf(&mut self, node: NodeId, root: NodeId) -> Option<(NodeId, NodeId)> {
        let mut leaf = node;
        while let Some(child) = self.links(leaf).first_child {
            leaf = child;
        }
        if leaf == root {
            return None;
        }
        let links = core::mem::replace(self.links_mut(leaf), Node::EMPTY);
        let parent = links.parent?;
        // The way down led through first children only.
        self.links_mut(parent).first_child = links.next;
        if let Some(next) = links.next {
            self.links_mut(next).previous = None;
        }
        Some((leaf, parent))
    }

    pub fn links(&self, id: NodeId) -> &Node {
        &self.nodes[id.position()]
    }

    fn links_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.position()]
    }

    #[cfg(any(test, feature = "testing"))]
    pub fn all(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(position, links)| (node(position), links))
    }
}

#[inline(always)]
fn node(position: usize) -> NodeId {
    NodeId::at(position as u32)
}

#[cfg(any(test, feature = "testing"))]
impl Lineage {
    /// Takes the memory, to use it again.
    pub fn take(&mut self) -> &'static mut [Node] {
        core::mem::take(&mut self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;
    use std::vec::Vec;

    const SHAPE: Shape = Shape {
        processes: 3,
        handles_per_process: 40,
        regions_per_process: 5,
        interrupts: 2,
        watches: 3,
        timers: 2,
        threads: 4,
        windows: 3,
    };

    fn lineage() -> Lineage {
        let nodes = Vec::leak(std::vec![Node::EMPTY; SHAPE.nodes()]);
        Lineage::new(nodes, SHAPE)
    }

    fn children(lineage: &Lineage, id: NodeId) -> Box<[usize]> {
        lineage.children(id).map(NodeId::position).collect()
    }

    #[test]
    fn every_node_stands_for_one_thing() {
        let lineage = lineage();
        for position in 0..SHAPE.nodes() {
            let id = node(position);
            let derived = lineage.derived(id).unwrap();
            assert_eq!(lineage.node(derived), id, "{derived:?}");
        }
    }

    #[test]
    fn children_take_the_place_of_a_node_that_is_taken_out() {
        let mut lineage = lineage();
        let ids: Vec<_> = (0..8).map(node).collect();
        for (child, parent) in [(1, 0), (2, 0), (3, 0), (4, 2), (5, 2), (6, 4)] {
            lineage.link(ids[child], ids[parent]);
        }
        assert_eq!(*children(&lineage, ids[0]), [3, 2, 1]);
        lineage.unlink(ids[2]);
        assert_eq!(*children(&lineage, ids[0]), [3, 5, 4, 1]);
        assert_eq!(*children(&lineage, ids[4]), [6]);
        lineage.unlink(ids[1]);
        lineage.unlink(ids[3]);
        assert_eq!(*children(&lineage, ids[0]), [5, 4]);
        assert_eq!(lineage.links(ids[5]).previous, None);
        lineage.unlink(ids[0]);
        assert_eq!(lineage.parent(ids[4]), None);
        assert_eq!(*lineage.links(ids[5]), Node::EMPTY);
        assert_eq!(lineage.parent(ids[6]), Some(ids[4]));
    }

    #[test]
    fn a_node_that_moves_keeps_its_parent_siblings_and_children() {
        let mut lineage = lineage();
        let ids: Vec<_> = (0..9).map(node).collect();
        for (child, parent) in [(1, 0), (2, 0), (3, 0), (4, 2), (5, 2)] {
            lineage.link(ids[child], ids[parent]);
        }
        lineage.replace(ids[2], ids[7]);
        assert_eq!(*children(&lineage, ids[0]), [3, 7, 1]);
        assert_eq!(*children(&lineage, ids[7]), [5, 4]);
        assert_eq!(lineage.parent(ids[4]), Some(ids[7]));
        assert_eq!(*lineage.links(ids[2]), Node::EMPTY);
        lineage.replace(ids[3], ids[8]);
        assert_eq!(*children(&lineage, ids[0]), [8, 7, 1]);
        assert_eq!(lineage.links(ids[7]).previous, Some(ids[8]));
    }

    #[test]
    fn depth_is_bounded() {
        let mut lineage = lineage();
        for position in 1..DEPTH_MAX {
            assert_eq!(lineage.check_depth(node(position - 1)), Ok(()));
            lineage.link(node(position), node(position - 1));
        }
        assert_eq!(
            lineage.check_depth(node(DEPTH_MAX - 1)),
            Err(Error::TooDeep)
        );
    }
}
