// Zooming and panning of the open picture: wheel, double click, two fingers, drag. Where it fits, a swipe asks for the next.

import { on } from "./dom.js";

const MOST = 12;

export function zoomable(stage, image, swipe) {
	let [scale, x, y] = [1, 0, 0];
	const pointers = new Map();
	let start = null; // where a gesture began

	/// The picture never leaves the stage by more than it is larger.
	function within(at, size, shown) {
		const room = Math.max(0, (shown * scale - size) / 2);
		return Math.min(room, Math.max(-room, at));
	}

	function move(toX, toY) {
		x = within(toX, stage.clientWidth, image.clientWidth);
		y = within(toY, stage.clientHeight, image.clientHeight);
		image.style.transform = scale === 1 ? "" : `translate(${x}px,${y}px) scale(${scale})`;
		stage.classList.toggle("zoomed", scale > 1);
	}

	/// Scales so that a point of the window, or the middle, stays where it is.
	function to(next, at) {
		const box = stage.getBoundingClientRect();
		const dx = at ? at.clientX - box.left - box.width / 2 : 0;
		const dy = at ? at.clientY - box.top - box.height / 2 : 0;
		const by = Math.min(MOST, Math.max(1, next)) / scale;
		scale *= by;
		move(dx - (dx - x) * by, dy - (dy - y) * by);
	}

	function fingers() {
		const [a, b = a] = [...pointers.values()];
		const spread = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
		return { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2, spread };
	}
	function begin() {
		if (pointers.size) start = { ...fingers(), scale, x, y };
	}

	on(stage, "wheel", (event) => {
		event.preventDefault();
		to(scale * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event);
	}, { passive: false });
	on(stage, "dblclick", (event) => to(scale > 1 ? 1 : 2.5, event));
	on(stage, "pointerdown", (event) => {
		if (event.button !== 0) return;
		pointers.set(event.pointerId, event);
		stage.setPointerCapture(event.pointerId);
		begin();
	});
	on(stage, "pointermove", (event) => {
		if (!pointers.has(event.pointerId)) return;
		pointers.set(event.pointerId, event);
		const now = fingers();
		if (now.spread && start.spread) to((start.scale * now.spread) / start.spread, now);
		else if (scale > 1) move(start.x + now.clientX - start.clientX, start.y + now.clientY - start.clientY);
	});
	const end = (event) => {
		if (!pointers.has(event.pointerId)) return;
		const [dx, dy] = [event.clientX - start.clientX, event.clientY - start.clientY];
		const isSwipe = event.type === "pointerup" && event.pointerType === "touch" && pointers.size === 1 && scale === 1;
		pointers.delete(event.pointerId);
		begin();
		if (isSwipe && Math.abs(dx) > 50 && Math.abs(dx) > 2 * Math.abs(dy)) swipe(dx < 0 ? 1 : -1);
	};
	for (const name of ["pointerup", "pointercancel"]) on(stage, name, end);

	return {
		by: (factor) => to(scale * factor),
		reset() {
			scale = 1;
			move(0, 0);
		},
	};
}
