export default {
  // Else Vite reloads the page when it first meets lanewise in the Worker.
  optimizeDeps: { exclude: ['lanewise'] },
}
