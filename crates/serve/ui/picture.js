// Pictures of the user's own: read, made small enough to send, and kept for the session so that going back and
// reloading find them again.

import { on, session } from "./dom.js";

// Models look at a few hundred pixels; a phone's photo of 10 MB would only take time on the way.
const SIDE = 1024;
const AS_IT_IS = 400_000;
const KEPT = 8; // a session's storage holds about 5 MB

/// The picture of a file as { key, url }, where `url` is a data URL. Rejects where the browser cannot read it.
export async function read(file) {
	const bitmap = await createImageBitmap(file);
	const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
	const url = scale === 1 && file.size <= AS_IT_IS ? await dataUrl(file) : shrunk(bitmap, scale);
	bitmap.close();
	const key = session.get("images", 0) + 1;
	session.set("images", key);
	session.set(`image.${key - KEPT}`, null);
	session.set(`image.${key}`, url);
	return { key, url };
}

function dataUrl(file) {
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		on(reader, "load", () => resolve(reader.result));
		on(reader, "error", reject);
		reader.readAsDataURL(file);
	});
}

function shrunk(bitmap, scale) {
	const canvas = document.createElement("canvas");
	canvas.width = Math.max(1, Math.round(bitmap.width * scale));
	canvas.height = Math.max(1, Math.round(bitmap.height * scale));
	const context = canvas.getContext("2d");
	// JPEG has no transparency, and white is what most drawings expect behind them.
	context.fillStyle = "#fff";
	context.fillRect(0, 0, canvas.width, canvas.height);
	context.imageSmoothingQuality = "high";
	context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
	return canvas.toDataURL("image/jpeg", 0.92);
}

/// The first picture of what was pasted or dropped.
export const fileOf = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/"));

/// What the page's own tiles carry when they are dragged: the id of an item.
export const ITEM = "application/x-tuwen-item";

/// Calls `taken(file)` or `item(id)` for what is dropped anywhere on the page, and marks the page while it is dragged over.
export function acceptDrops(taken, item, refused) {
	const root = document.documentElement;
	let depth = 0; // enter and leave are told for every element under the pointer
	const over = (change) => {
		depth = Math.max(0, depth + change);
		root.classList.toggle("dropping", depth > 0);
	};
	const fits = (event) => event.dataTransfer.types.includes("Files") || event.dataTransfer.types.includes(ITEM);
	on(window, "dragenter", (event) => fits(event) && over(1));
	on(window, "dragleave", (event) => fits(event) && over(-1));
	on(window, "dragover", (event) => fits(event) && event.preventDefault());
	on(window, "drop", (event) => {
		if (!fits(event)) return;
		event.preventDefault();
		over(-depth);
		const id = event.dataTransfer.getData(ITEM);
		const file = fileOf(event.dataTransfer);
		if (id) item(Number(id));
		else if (file) taken(file);
		else refused();
	});
}
