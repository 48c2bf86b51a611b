// Zooming and panning of the open picture: wheel, double click, two fingers, drag. Where it fits, a swipe asks for the next.

import { on } from "./dom.js";

const MOST = 12;

/// Makes `image` inside `stage` zoomable. `swipe(step)` is called with 1 or -1; returns { by(factor), reset() }.
export function zoomable(stage, image, swipe) {
	let [scale, x, y] = [1, 0, 0];
	const pointers = new Map();
	let start = null; // of a gesture: where it began, with how many pointers

	function apply() {
		// The picture never leaves the stage by more than it is larger.
		const room = (size, shown) => Math.max(0, (shown * scale - size) / 2);
		const [wide, high] = [room(stage.clientWidth, image.clientWidth), room(stage.clientHeight, image.clientHeight)];
		x = Math.min(wide, Math.max(-wide, x));
		y = Math.min(high, Math.max(-high, y));
		image.style.transform = scale === 1 ? "" : `translate(${x}px,${y}px) scale(${scale})`;
		stage.classList.toggle("zoomed", scale > 1);
	}

	/// Scales so that the point under (left, top) of the window stays where it is.
	function to(next, left, top) {
		const box = stage.getBoundingClientRect();
		const [dx, dy] = [left - box.left - box.width / 2, top - box.top - box.height / 2];
		const wanted = Math.min(MOST, Math.max(1, next));
		x = dx - ((dx - x) * wanted) / scale;
		y = dy - ((dy - y) * wanted) / scale;
		scale = wanted;
		apply();
	}

	const centre = () => {
		const box = stage.getBoundingClientRect();
		return [box.left + box.width / 2, box.top + box.height / 2];
	};
	const mean = (axis) => [...pointers.values()].reduce((sum, point) => sum + point[axis], 0) / pointers.size;
	const spread = () => {
		const [a, b] = [...pointers.values()];
		return b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
	};
	const begin = () => {
		start = pointers.size ? { x: mean("x"), y: mean("y"), spread: spread(), scale, fromX: x, fromY: y } : null;
	};

	on(stage, "wheel", (event) => {
		event.preventDefault();
		to(scale * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event.clientX, event.clientY);
	}, { passive: false });
	on(stage, "dblclick", (event) => {
		if (event.target.closest("button")) return;
		to(scale > 1 ? 1 : 2.5, event.clientX, event.clientY);
	});
	on(stage, "pointerdown", (event) => {
		if (event.button !== 0 || event.target.closest("button")) return;
		pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
		stage.setPointerCapture(event.pointerId);
		begin();
	});
	on(stage, "pointermove", (event) => {
		if (!pointers.has(event.pointerId)) return;
		pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
		if (pointers.size > 1 && start.spread) to((start.scale * spread()) / start.spread, mean("x"), mean("y"));
		else if (scale > 1) {
			x = start.fromX + mean("x") - start.x;
			y = start.fromY + mean("y") - start.y;
			apply();
		}
	});
	const end = (event) => {
		if (!pointers.has(event.pointerId)) return;
		const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
		const isSwipe = event.type === "pointerup" && event.pointerType === "touch" && pointers.size === 1 && scale === 1;
		pointers.delete(event.pointerId);
		begin();
		if (isSwipe && Math.abs(dx) > 50 && Math.abs(dx) > 2 * Math.abs(dy)) swipe(dx < 0 ? 1 : -1);
	};
	on(stage, "pointerup", end);
	on(stage, "pointercancel", end);

	return {
		by: (factor) => to(scale * factor, ...centre()),
		reset() {
			[scale, x, y] = [1, 0, 0];
			apply();
		},
	};
}
