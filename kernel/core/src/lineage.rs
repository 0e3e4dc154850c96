//! Lineage: what was derived from which handle.
//!
//! Every slot of every handle table is a node; so is everything that works by the authority of a handle after the system
//! call that made it: mappings, interrupt bindings, watches, and what a thread is bound to. Nodes form trees: a copy is the child of what
//! it was copied from, a mapping that of the handle it was mapped through. Revoking a handle removes all below it, each in a
//! bounded number of steps.
//!
//! The nodes lie in one array, a fixed run for each kind, so a node is named by its position and needs no allocation, no
//! quota and no object of its own: who can hold the handle can hold its place in the lineage.
//!
//! A node does not know its parent. Its siblings form a ring, youngest first, and the last of them leads to the parent in place of
//! the first: so a node moves, or goes and leaves its children to its parent, in a few steps, however many children it has. Children
//! that are left without a parent stay a ring of roots, with no last. Who asks for the parent walks along the siblings; only a look
//! from outside does, and a check of a depth that may have reached the limit.
//!
//! Invariants: the links agree with each other; what is not in use has no links; a child's rights are among its parent's,
//! its deadline is not later, and it is not deeper than [`DEPTH_MAX`]; a node has at most `depth` ancestors.

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

/// Links of a node. All zero for one that is not in use, or has neither parent, siblings nor children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    pub(crate) first_child: Option<NodeId>,
    /// The sibling before it; of the first, the last. Itself, if it is alone.
    pub(crate) previous: Option<NodeId>,
    /// The sibling after it; of the last, the parent.
    pub(crate) next: Option<NodeId>,
    pub(crate) is_last: bool,
    /// It has at most so many ancestors: what it had when it was made, and some of them may have gone since.
    pub(crate) depth: u8,
}

impl Empty for Node {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            first_child: None,
            previous: None,
            next: None,
            is_last: false,
            depth: 0,
        }
    }
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
        // The nodes are in memory, so nothing wraps, here and where one is looked for.
        self.processes.wrapping_mul(self.handles_per_process)
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
    pub(crate) shape: Shape,
    /// [`Shape::first_region`].
    first_region: usize,
}

impl Lineage {
    /// A lineage in which nothing is derived from anything. There are as many nodes as the shape has.
    pub fn new(nodes: &'static mut [Node], shape: Shape) -> Self {
        Self {
            nodes,
            shape,
            first_region: shape.first_region(),
        }
    }

    /// The node of a slot: the nodes of all slots come first, in the order of the slots.
    #[inline(always)]
    pub fn slot(&self, process: ProcessId, index: u16) -> NodeId {
        let first = process
            .position()
            .wrapping_mul(self.shape.handles_per_process);
        node(first.wrapping_add(index.into()))
    }

    /// The node of a region.
    #[inline(always)]
    pub fn region(&self, process: ProcessId, number: u8) -> NodeId {
        self.region_at(process.position(), number)
    }

    /// The node of a region of the process at a position.
    #[inline(always)]
    pub fn region_at(&self, process: usize, number: u8) -> NodeId {
        let first = process.wrapping_mul(self.shape.regions_per_process);
        let first = self.first_region.wrapping_add(first);
        node(first.wrapping_add(number.into()))
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

    /// What a node was derived from: a walk along its siblings.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        let mut links = self.links(id);
        while !links.is_last {
            let next = links.next.filter(|&next| next != id)?;
            links = self.links(next);
        }
        links.next
    }

    /// Whether the node at a position has neither parent, siblings nor children.
    #[inline(always)]
    pub fn is_alone(&self, position: usize) -> bool {
        let links = &self.nodes[position];
        // Both at once: one branch for those who move handles.
        links.previous.is_none() & links.first_child.is_none()
    }

    /// The children of a node.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let next = |&child: &NodeId| {
            let links = self.links(child);
            links.next.filter(|_| !links.is_last)
        };
        core::iter::successors(self.links(id).first_child, next)
    }

    /// Checks that a node may have children.
    ///
    /// # Errors
    /// When it has too many ancestors.
    #[inline(never)]
    pub fn check_depth(&self, id: NodeId) -> Result<(), Error> {
        if self.child_depth(id).is_some() || self.ancestors(id) < DEPTH_MAX - 1 {
            Ok(())
        } else {
            Err(Error::TooDeep)
        }
    }

    /// How many ancestors a node has, counted.
    #[cold]
    fn ancestors(&self, id: NodeId) -> usize {
        let ancestors = core::iter::successors(self.parent(id), |&id| self.parent(id));
        ancestors.take(DEPTH_MAX).count()
    }

    /// Makes a node without links a child of one that may have children.
    pub fn link(&mut self, child: NodeId, parent: NodeId) {
        let depth = match self.child_depth(parent) {
            Some(depth) => depth,
            None => self.ancestors(parent) as u8 + 1,
        };
        self.link_at(child, parent, depth);
    }

    /// The depth of a child of a node; `None` when the node's ancestors must be counted to know whether it may have one.
    #[inline(always)]
    pub fn child_depth(&self, parent: NodeId) -> Option<u8> {
        let depth = self.links(parent).depth.wrapping_add(1);
        (usize::from(depth) < DEPTH_MAX).then_some(depth)
    }

    /// Makes a node without links a child, of at most this depth, of one that may have children.
    #[inline(always)]
    pub fn link_at(&mut self, child: NodeId, parent: NodeId, depth: u8) {
        let first = self.links_mut(parent).first_child.replace(child);
        let previous = match first {
            Some(first) => self.links_mut(first).previous.replace(child),
            None => Some(child),
        };
        *self.links_mut(child) = Node {
            first_child: None,
            previous,
            next: first.or(Some(parent)),
            is_last: first.is_none(),
            depth,
        };
    }

    /// Takes a node out. Its children become children of its parent; without one, they become roots.
    #[inline(never)]
    pub fn unlink(&mut self, id: NodeId) {
        self.unlink_inline(id);
    }

    /// The same, for the fast path.
    #[inline(always)]
    pub fn unlink_inline(&mut self, id: NodeId) {
        let node = *self.links(id);
        if node.previous != Some(id) || node.first_child.is_some() {
            return self.unlink_from_others(id);
        }
        // It has neither siblings nor children, as a mapping most of the time.
        *self.links_mut(id) = Node::unused();
        if node.is_last
            && let Some(parent) = node.next
        {
            self.links_mut(parent).first_child = None;
        }
    }

    #[inline(never)]
    fn unlink_from_others(&mut self, id: NodeId) {
        // Its children are its siblings then.
        self.give_up_children(id);
        let node = core::mem::replace(self.links_mut(id), Node::unused());
        let Some(previous) = node.previous else {
            return;
        };
        self.set_after(previous, node.next);
        if node.is_last {
            self.links_mut(previous).is_last = true;
        }
        self.set_before(node.next, node.is_last, previous);
    }

    /// Makes the children of a node its siblings, after it; without a parent, they become roots.
    pub fn give_up_children(&mut self, id: NodeId) {
        let Some(first) = self.links_mut(id).first_child.take() else {
            return;
        };
        let Node {
            previous,
            next,
            is_last,
            ..
        } = *self.links(id);
        let last = self.links(first).previous.unwrap_or(first);
        if previous.is_none() {
            return self.make_roots(first, last);
        }
        self.links_mut(first).previous = Some(id);
        let end = self.links_mut(last);
        end.next = next;
        end.is_last = is_last;
        let links = self.links_mut(id);
        links.next = Some(first);
        links.is_last = false;
        self.set_before(next, is_last, last);
    }

    /// Makes the children from `first` to `last` a ring of roots.
    fn make_roots(&mut self, first: NodeId, last: NodeId) {
        if first == last {
            let first_child = self.links(first).first_child;
            *self.links_mut(first) = Node {
                first_child,
                ..Node::unused()
            };
        } else {
            let end = self.links_mut(last);
            end.next = Some(first);
            end.is_last = false;
        }
    }

    /// Says which sibling comes before what follows a node: the next one, or behind the last the first of the parent's.
    #[inline(never)]
    fn set_before(&mut self, next: Option<NodeId>, is_last: bool, previous: NodeId) {
        let follows = match next {
            Some(parent) if is_last => self.links(parent).first_child,
            next => next,
        };
        if let Some(follows) = follows {
            self.links_mut(follows).previous = Some(previous);
        }
    }

    /// Says which sibling comes after what precedes a node, or, when that is the last of the parent's, which is the parent's first.
    #[inline(never)]
    fn set_after(&mut self, previous: NodeId, next: Option<NodeId>) {
        let links = self.links_mut(previous);
        if !links.is_last {
            links.next = next;
        } else if let Some(parent) = links.next {
            self.links_mut(parent).first_child = next;
        }
    }

    /// Puts `to`, which has no links, in the place of `from`, which has none afterwards.
    pub fn replace(&mut self, from: NodeId, to: NodeId) {
        let mut node = core::mem::replace(self.links_mut(from), Node::unused());
        if let Some(first) = node.first_child {
            let last = self.links(first).previous.unwrap_or(first);
            self.links_mut(last).next = Some(to);
        }
        if node.previous == Some(from) {
            node.previous = Some(to);
            if !node.is_last {
                node.next = Some(to);
            }
        }
        *self.links_mut(to) = node;
        if let Some(previous) = node.previous {
            self.set_after(previous, Some(to));
            self.set_before(node.next, node.is_last, to);
        }
    }

    /// Takes out the first child of a node, which gets the children of that one in its place.
    #[inline(always)]
    pub fn take_child(&mut self, parent: NodeId) -> Option<NodeId> {
        let child = self.links(parent).first_child?;
        if self.links(child).first_child.is_some() {
            self.give_up_children(child);
        }
        let node = core::mem::replace(self.links_mut(child), Node::unused());
        let next = node.next.filter(|_| !node.is_last);
        self.links_mut(parent).first_child = next;
        if let Some(next) = next {
            self.links_mut(next).previous = node.previous;
        }
        Some(child)
    }

    #[inline(always)]
    pub fn links(&self, id: NodeId) -> &Node {
        &self.nodes[id.position()]
    }

    #[inline(always)]
    fn links_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.position()]
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
        let nodes = Vec::leak(std::vec![Node::unused(); SHAPE.nodes()]);
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
        lineage.unlink(ids[0]);
        assert_eq!(lineage.parent(ids[4]), None);
        assert_eq!(lineage.parent(ids[5]), None);
        assert_eq!(lineage.parent(ids[6]), Some(ids[4]));
        lineage.unlink(ids[4]);
        assert_eq!(lineage.parent(ids[6]), None);
        lineage.link(ids[0], ids[1]);
        lineage.unlink(ids[1]);
        assert!(lineage.is_alone(0), "an only child becomes a root alone");
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
        assert_eq!(*lineage.links(ids[2]), Node::unused());
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

    #[test]
    fn ancestors_that_have_gone_do_not_count() {
        let mut lineage = lineage();
        let ids = [0, 1].map(node);
        lineage.link(ids[1], node(2));
        // Each copies itself and goes: the copy has one ancestor, always.
        for round in 0..5 * DEPTH_MAX {
            let (old, new) = (ids[(round + 1) % 2], ids[round % 2]);
            assert_eq!(lineage.check_depth(old), Ok(()));
            lineage.link(new, old);
            lineage.unlink(old);
            assert_eq!(lineage.parent(new), Some(node(2)));
        }
    }

    /// The same as [`Lineage`], slowly: everyone's parent, and everyone's siblings in order, youngest first.
    #[derive(Default)]
    struct Family {
        parents: Vec<Option<usize>>,
        children: Vec<Vec<usize>>,
    }

    impl Family {
        /// Puts `new` where `old` is among its siblings.
        fn substitute(&mut self, old: usize, new: &[usize]) {
            if let Some(parent) = self.parents[old].take() {
                let siblings = &mut self.children[parent];
                let at = siblings.iter().position(|&child| child == old).unwrap();
                siblings.splice(at..=at, new.iter().copied());
                new.iter().for_each(|&new| self.parents[new] = Some(parent));
            } else {
                new.iter().for_each(|&new| self.parents[new] = None);
            }
        }

        fn depth(&self, id: usize) -> usize {
            core::iter::successors(self.parents[id], |&id| self.parents[id]).count()
        }
    }

    #[test]
    fn random_families_are_as_they_would_be_with_lists_of_children() {
        const COUNT: usize = 60;
        let mut lineage = lineage();
        let mut family = Family {
            parents: std::vec![None; COUNT],
            children: std::vec![Vec::new(); COUNT],
        };
        let mut seed = 1_u64;
        let mut dice = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for _ in 0..30_000 {
            let (one, other) = (dice(COUNT), dice(COUNT));
            let is_alone = |id: usize| lineage.is_alone(id);
            match dice(9) {
                0..5 if one != other && is_alone(one) && family.depth(other) < DEPTH_MAX - 1 => {
                    assert_eq!(lineage.check_depth(node(other)), Ok(()));
                    lineage.link(node(one), node(other));
                    family.parents[one] = Some(other);
                    family.children[other].insert(0, one);
                }
                5 => {
                    lineage.unlink(node(one));
                    let children = core::mem::take(&mut family.children[one]);
                    family.substitute(one, &children);
                }
                6 if one != other && is_alone(other) => {
                    lineage.replace(node(one), node(other));
                    family.substitute(one, &[other]);
                    let children = core::mem::take(&mut family.children[one]);
                    for &child in &children {
                        family.parents[child] = Some(other);
                    }
                    family.children[other] = children;
                }
                7 => {
                    lineage.give_up_children(node(one));
                    let mut run = core::mem::take(&mut family.children[one]);
                    run.insert(0, one);
                    family.substitute(one, &run);
                }
                8 => {
                    let taken = lineage.take_child(node(one)).map(NodeId::position);
                    assert_eq!(taken, family.children[one].first().copied());
                    if let Some(taken) = taken {
                        let children = core::mem::take(&mut family.children[taken]);
                        family.substitute(taken, &children);
                    }
                }
                _ => {}
            }
            for id in 0..COUNT {
                assert_eq!(*children(&lineage, node(id)), *family.children[id]);
                let parent = family.parents[id].map(node);
                assert_eq!(lineage.parent(node(id)), parent);
                assert!(family.depth(id) <= lineage.links(node(id)).depth.into());
            }
        }
    }
}
