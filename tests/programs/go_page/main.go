// A page of client_golang: native and classic histograms, exemplars, a summary, hostile labels.
package main

import (
	"fmt"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	registry := prometheus.NewRegistry()
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_server_request_duration_seconds", Help: "Mail joe@corp.example.\nNext \"line\".",
		NativeHistogramBucketFactor: 1.1}, []string{"method"})
	both := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "http_client_request_duration_seconds", Buckets: []float64{0.1, 1},
		NativeHistogramBucketFactor: 1.1})
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, []string{"status", "path"})
	quantiles := prometheus.NewSummary(prometheus.SummaryOpts{
		Name: "rpc_server_duration_seconds", Objectives: map[float64]float64{0.5: 0.05, 0.99: 0.001}})
	registry.MustRegister(latency, both, calls, quantiles)
	for n := 1; n <= 1000; n++ {
		latency.WithLabelValues("GET").Observe(float64(n) / 1000)
		quantiles.Observe(float64(n) / 1000)
		both.Observe(0.05)
	}
	latency.WithLabelValues("GET").(prometheus.ExemplarObserver).ObserveWithExemplar(7.2, prometheus.Labels{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"})
	both.(prometheus.ExemplarObserver).ObserveWithExemplar(3.5, prometheus.Labels{"trace_id": "00f067aa0ba902b7"})
	calls.WithLabelValues("200", "/a\"b\\c\nd\x1b[31m").Add(5)
	calls.WithLabelValues("500", "/pay").(prometheus.ExemplarAdder).AddWithExemplar(2, prometheus.Labels{"trace_id": "aaaabbbbccccdddd"})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	panic(http.Serve(listener, nil))
}
