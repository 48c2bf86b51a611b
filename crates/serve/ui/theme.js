// Runs before the first paint, as a classic script: otherwise somebody who chose dark on a light system would see
// a white flash at every load. The modules change the same attribute later.
(() => {
	const stored = (name) => {
		try {
			return JSON.parse(localStorage.getItem(`tuwen.${name}`));
		} catch {
			return null; // storage is switched off
		}
	};
	const dark = matchMedia("(prefers-color-scheme: dark)");
	const root = document.documentElement;
	const apply = () => {
		const chosen = stored("theme");
		root.dataset.theme = chosen === "dark" || (chosen !== "light" && dark.matches) ? "dark" : "light";
	};
	apply();
	dark.addEventListener("change", apply);
	const language = stored("language") ?? navigator.language ?? "en";
	root.lang = language.startsWith("zh") ? "zh-CN" : "en";
})();
