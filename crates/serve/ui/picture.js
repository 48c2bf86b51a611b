// Pictures of the user's own: made small enough to send, and kept for the session, for going back and reloading.

import { on, page, session } from "./dom.js";

// Models look at a few hundred pixels; a phone's photo of 10 MB would only take time on the way.
const SIDE = 1024;
const AS_IT_IS = 400_000;
const KEPT = 8; // a session's storage holds about 5 MB

/// The files themselves, by key: what is added to a gallery is not a small copy.
export const files = new Map();

/// The picture of a file as { key, url }, where `url` is a data URL. Rejects where the browser cannot read it.
export async function read(file) {
	const bitmap = await createImageBitmap(file);
	const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
	const url = scale === 1 && file.size <= AS_IT_IS ? await dataUrl(file) : shrunk(bitmap, scale);
	const key = session.get("images", 0) + 1;
	session.set("images", key);
	session.set(`image.${key - KEPT}`, null);
	session.set(`image.${key}`, url);
	files.set(key, file);
	return { key, url };
}

export function dataUrl(blob) {
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		on(reader, "load", () => resolve(reader.result));
		on(reader, "error", reject);
		reader.readAsDataURL(blob);
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

export const picturesOf = (transfer) => [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));

/// Calls `taken(files)` for what is dropped anywhere on the page, and marks the page while it is dragged over.
export function acceptDrops(taken) {
	let depth = 0; // enter and leave are told for every element under the pointer
	const listen = (name, change, act) => on(window, name, (event) => {
		if (!event.dataTransfer.types.includes("Files")) return;
		event.preventDefault();
		depth = Math.max(0, depth + change);
		page.classList.toggle("dropping", depth > 0);
		act?.(event);
	});
	listen("dragenter", 1);
	listen("dragleave", -1);
	listen("dragover", 0);
	listen("drop", -Infinity, (event) => taken(picturesOf(event.dataTransfer)));
}
