// Before anything is drawn, so that nothing flashes: the theme that was chosen here; none is the system's.
try {
  const chosen = localStorage.getItem("miyabi-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing has the system's.
}
